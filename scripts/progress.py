"""Show where a study stands; nothing is changed. Run it in the checkout:

python scripts/progress.py [--configfile FILE ...] [--replace-workflow-config]
                           [--dataset NAME] [--experiment NAME] [--json]
"""

import argparse
import sys
import time
from pathlib import Path

import yaml

from cellseg import active_jobs, config, config_files, progress, progress_text
from cellseg.errors import UserError

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Read the arguments, look, print."""
    parser = argparse.ArgumentParser(description="Show where a study stands; nothing is changed.")
    parser.add_argument(
        "--configfile", "--configfiles", nargs="+", action="extend", default=[], metavar="FILE",
        help="config file merged over config.yaml, as with snakemake",
    )  # fmt: skip
    parser.add_argument(
        "--replace-workflow-config", action="store_true",
        help="take the config file instead of config.yaml, as with snakemake",
    )  # fmt: skip
    parser.add_argument("--dataset", metavar="NAME", help="only the experiments on this data set")
    parser.add_argument("--experiment", metavar="NAME", help="only this experiment")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    arguments = parser.parse_args()

    folder = Path.cwd()
    read = config_files.read(folder, arguments.configfile, arguments.replace_workflow_config)
    schema = CHECKOUT / "workflow" / "schemas" / "config.schema.yaml"
    study = config.resolve(read, yaml.safe_load(schema.read_text(encoding="utf-8")))
    study = progress.narrowed(study, arguments.dataset, arguments.experiment)

    profile = CHECKOUT / "workflow" / "profiles" / "slurm" / "config.yaml"
    slurm, trouble = active_jobs.ask_slurm(active_jobs.job_name_prefix(profile), folder)
    marks = active_jobs.read_marks(folder / ".snakemake")
    seen = progress.collect(study, folder, slurm, marks, time.time())
    if trouble:
        seen.notes.append(f"{trouble}; jobs in Slurm are not counted as such.")
    if not (folder / "results").is_dir():
        seen.notes.append(f"there is no folder {folder / 'results'} yet.")
    print(progress_text.as_json(seen) if arguments.json else progress_text.as_text(seen))


try:
    main()
except UserError as error:
    sys.exit(f"Error: {error}")
