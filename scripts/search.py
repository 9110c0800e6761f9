"""Make a hyperparameter search by successive halving. Run it in the checkout: --help tells how."""

import sys
from pathlib import Path

from cellseg import config_files, search_arguments, search_run
from cellseg.errors import UserError, printable
from cellseg.snakemake_call import Snakemake

SCHEMA = Path(__file__).resolve().parent.parent / "workflow/schemas/config.schema.yaml"


def main() -> None:
    """Read the arguments and the configuration, search."""
    own, arguments = search_arguments.read()
    folder = Path.cwd()
    study = config_files.study(own, folder, SCHEMA)
    search_run.search(study, own.name, folder, Snakemake(folder, arguments, own.dry_run))


try:
    main()
except UserError as error:
    sys.exit(f"Error: {printable(error)}")
