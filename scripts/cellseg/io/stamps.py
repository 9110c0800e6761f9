"""One short text that identifies settings or other content."""

import hashlib
import json


def stamp(content: object) -> str:
    """SHA-256 of anything that JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
