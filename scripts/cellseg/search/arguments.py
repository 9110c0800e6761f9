"""What the command that makes a hyperparameter search is called with."""

import argparse
import re

from cellseg.errors import UserError
from cellseg.study import config_files


def read(arguments: list[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    """The search's name and config files, and all arguments for Snakemake.

    Parameters
    ----------
    arguments : None for those of the command line

    Returns
    -------
    Namespace : ``name``, ``configfile``, ``replace_workflow_config``, ``dry_run``
    list of str : what Snakemake is called with, config files among it

    Raises
    ------
    UserError
        Settings are given with ``--config``, which this program does not read.
    """
    parser = argparse.ArgumentParser(
        description="Make a hyperparameter search of the configuration: trials, table, figure. "
        "Rerun the same command to resume after an interruption.",
        epilog="All other arguments go to Snakemake, such as --cores 4, --profile slurm or -n.",
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", help="an entry of `searches` in the configuration")
    config_files.add_arguments(parser)
    own, others = parser.parse_known_args(arguments)
    if any(re.match(r"(--config|-C)(=|$)", argument) for argument in others):
        raise UserError("--config is not read here. Put the settings into a file: --configfile.")
    own.dry_run = any(
        argument in ("--dry-run", "--dryrun") or re.fullmatch("-[A-Za-z]*n[A-Za-z]*", argument)
        for argument in others
    )
    return own, [*others, *config_files.of_snakemake(own)]
