"""Print scores and places to look: python scripts/print_summary.py results/<dataset>."""

import sys

from cellseg.report import terminal_summary
from cellseg.runtime import command

if len(sys.argv) != 2:
    sys.exit(f"Usage: {sys.argv[0]} results/<dataset>")
with command.running():
    print(f"\n{terminal_summary.table(sys.argv[1])}\n")
