"""Folders that Snakemake cannot run scripts in.

Snakemake writes the path of Python into its shell commands without quotes, and formats braces in
it. `make` asks here before it installs anything, so the standard library has to be enough.
"""

import os
import re
import sys

from cellseg.errors import UserError

# Each was tried: a rule with a script fails below a folder with this character in its name.
BREAKING = re.compile(r"""[ \t\n"'$`;()*?\[{\\|&<>]""")
NAMES = {" ": "a space", "'": "an apostrophe", "\n": "a line break", "\t": "a tab"}


def check(path: str) -> None:
    """Refuse a path of Python that a shell does not take as it is.

    Raises
    ------
    UserError
        It names the character and what to do.
    """
    found = BREAKING.search(path)
    if found:
        what = NAMES.get(found[0], found[0] if found[0].isprintable() else repr(found[0]))
        raise UserError(
            f"Snakemake cannot run a Python whose path contains {what}: {path!r}. Rename the "
            "folder or move the checkout, then run `make setup` there."
        )


if __name__ == "__main__":
    try:
        check(os.path.join(sys.argv[1], ".venv", "bin", "python"))
    except UserError as error:
        sys.exit(str(error))
