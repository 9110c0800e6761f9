"""Print scores and places to look: python scripts/print_summary.py results/<dataset>."""

import sys

from cellseg import summary
from cellseg.errors import UserError, printable

if len(sys.argv) != 2:
    sys.exit(f"Usage: {sys.argv[0]} results/<dataset>")
try:
    print(f"\n{summary.table(sys.argv[1])}\n")
except UserError as error:
    sys.exit(f"Error: {printable(error)}")
