"""Names of head combinations. Imports nothing heavy: every start of Snakemake reads it."""

import re
from itertools import compress, product

from cellseg.errors import UserError
from cellseg.targets.channels import USED

HEADS = tuple(USED)
"""Names of all heads, in the order in which they are joined."""


OUTSIDE = "external"
"""In the place of heads of a run whose cells another program found: it has no network."""


INSTANCES = "instances"
"""In the place of heads of a run of an instance detector, which learns no maps."""


PATTERN = "|".join(
    re.escape(first) + "".join(rf"(\+{re.escape(head)})?" for head in HEADS[number + 1 :])
    for number, first in enumerate(HEADS)
)
"""Regular expression of all combinations; a list of them would double with each head."""


def split(name: str) -> list[str]:
    """Heads of a combination such as ``inner-distance+pixelwise``.

    :data:`INSTANCES` goes alone.

    Raises
    ------
    UserError
        A head is unknown, named twice, or the order is not that of :data:`HEADS`: each combination
        has one name, so that the same run is never trained under two.
    """
    heads = name.split("+")
    if INSTANCES in heads:
        if len(heads) > 1:
            raise UserError(
                f"heads '{name}': '{INSTANCES}' goes alone, since a detector learns no maps. Give "
                "it its own run."
            )
        return heads
    for head in heads:
        if head not in HEADS:
            raise UserError(
                f"heads '{name}': '{head}' is not one of {', '.join((*HEADS, INSTANCES))}."
            )
    canonical = "+".join(head for head in HEADS if head in heads)
    if name != canonical:
        raise UserError(f"heads '{name}': write it as '{canonical}'.")
    return heads


def combinations() -> list[str]:
    """Names of all combinations of heads, such as ``inner-distance+pixelwise``."""
    chosen = product((False, True), repeat=len(HEADS))
    names = ("+".join(compress(HEADS, selectors)) for selectors in chosen)
    return [name for name in names if name]
