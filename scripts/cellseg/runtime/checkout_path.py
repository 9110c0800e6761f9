"""Folders that Snakemake cannot run scripts in.

Snakemake writes the path of Python into its shell commands without quotes, and takes braces in the
path of a conda environment for wildcards. `make` asks here before it installs anything, so the
standard library has to be enough.
"""

import os
import re
import sys

from cellseg.errors import UserError

EVERYWHERE = "{}" + "".join(map(chr, range(0xDC80, 0xDD00)))
"""Braces, and bytes that are not UTF-8: they break wherever the checkout is named."""
BREAKING = " \t\n\"'$`;()*?[\\|&<>" + EVERYWHERE
"""What breaks the path of Python; tests/runtime/test_checkout_path.py tries each."""
NAMES = {" ": "a space", "'": "an apostrophe", "\n": "a line break", "\t": "a tab"}


def check(python: str, checkout: str) -> None:
    """Refuse paths with a character that breaks Snakemake's commands.

    Raises
    ------
    UserError
        It names the character and what to do.
    """
    for path, breaking in ((python, BREAKING), (checkout, EVERYWHERE)):
        found = re.search(f"[{re.escape(breaking)}]", path)
        if found:
            what = found[0] if found[0].isprintable() else ascii(found[0])
            raise UserError(
                f"Snakemake cannot work with {NAMES.get(found[0], what)} in the path {path!r}. "
                "Rename the folder or move the checkout, then run `make setup` there."
            )


if __name__ == "__main__":
    folder = sys.argv[1]
    try:
        check(os.path.join(folder, ".venv", "bin", "python"), folder)
    except UserError as error:
        sys.exit(str(error))
    if os.pathsep in folder:  # Python's module venv refuses it, too
        sys.exit(f"No environment can be in {folder!r}: PATH has {os.pathsep} between folders.")
