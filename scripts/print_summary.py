"""Print scores and places to look: python scripts/print_summary.py results/<dataset>."""

import sys

from cellseg import command, summary

if len(sys.argv) != 2:
    sys.exit(f"Usage: {sys.argv[0]} results/<dataset>")
with command.running():
    print(f"\n{summary.table(sys.argv[1])}\n")
