"""Make a hyperparameter search by successive halving. Run it in the checkout: --help tells how."""

from pathlib import Path

from cellseg.runtime import command
from cellseg.runtime.snakemake_call import Snakemake
from cellseg.search import run
from cellseg.study import config_files, search_arguments

SCHEMA = Path(__file__).resolve().parent.parent / "workflow/schemas/config.schema.yaml"


def main() -> None:
    """Read the arguments and the configuration, search."""
    own, arguments = search_arguments.read()
    folder = Path.cwd()
    study = config_files.study(own, folder, SCHEMA)
    run.search(study, own.name, folder, Snakemake(folder, arguments, own.dry_run))


with command.running():
    main()
