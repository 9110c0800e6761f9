"""Make a hyperparameter search by successive halving. Run it in the checkout: --help tells how."""

import sys
from pathlib import Path

import yaml

from cellseg import config, config_files, search_arguments, search_run
from cellseg.errors import UserError
from cellseg.snakemake_call import Snakemake

SCHEMA = Path(__file__).resolve().parent.parent / "workflow/schemas/config.schema.yaml"


def main() -> None:
    """Read the arguments and the configuration, search."""
    own, arguments = search_arguments.read()
    folder = Path.cwd()
    read = config_files.read(folder, own.configfile, own.replace_workflow_config)
    study = config.resolve(read, yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
    search_run.search(study, own.name, folder, Snakemake(folder, arguments, own.dry_run))


try:
    main()
except UserError as error:
    sys.exit(f"Error: {error}")
