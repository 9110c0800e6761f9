"""What the command that shows a study's progress is called with."""

import argparse

from cellseg.study import config_files


def read() -> argparse.Namespace:
    """Arguments of the command line: config files as Snakemake takes them, and what to show."""
    parser = argparse.ArgumentParser(description="Show how far a study is; nothing is changed.")
    config_files.add_arguments(parser)
    parser.add_argument("--dataset", metavar="NAME", help="only the experiments on this data set")
    parser.add_argument("--experiment", metavar="NAME", help="only this experiment")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser.parse_args()
