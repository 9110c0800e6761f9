"""Make a hyperparameter search by successive halving. Run it in the checkout: see --help."""

from pathlib import Path

from cellseg.runtime import command
from cellseg.runtime.snakemake_call import Snakemake
from cellseg.search import arguments as search_arguments
from cellseg.search import files, run
from cellseg.space import plan
from cellseg.study import config_files

SCHEMA = Path(__file__).resolve().parent.parent / "workflow/schemas/config.schema.yaml"


def main() -> None:
    """Read the arguments and the configuration, search."""
    own, arguments = search_arguments.read()
    folder = Path.cwd()
    study = config_files.study(own, folder, SCHEMA)

    def space() -> list[str]:
        needed = plan.plan_of_search(study, own.name, folder / files.RESULTS)
        return plan.lines(needed, None, "search")

    run.search(study, own.name, folder, Snakemake(folder, arguments, own.dry_run), space)


with command.running():
    main()
