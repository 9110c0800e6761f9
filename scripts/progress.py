"""Show how far a study is; nothing is changed. Run it in the checkout: see --help."""

import time
from pathlib import Path

from cellseg.jobs import active
from cellseg.progress import arguments, collect, text
from cellseg.runtime import command
from cellseg.study import config_files

WORKFLOW = Path(__file__).resolve().parent.parent / "workflow"
RESULTS = Path("results")


def main() -> None:
    """Read the arguments, look, print."""
    asked = arguments.read()
    folder = Path.cwd()
    study = config_files.study(asked, folder, WORKFLOW / "schemas/config.schema.yaml")
    study = collect.narrowed(study, asked.dataset, asked.experiment)
    prefix = active.job_name_prefix(WORKFLOW / "profiles/slurm/config.yaml")
    slurm, trouble = active.ask_slurm(prefix, folder)
    marks = active.read_marks(folder / ".snakemake")
    whole = asked.dataset is None and asked.experiment is None
    seen = collect.collect(study, RESULTS, slurm, marks, time.time(), others=whole)
    if trouble:
        seen.notes.append(f"{trouble}; jobs in Slurm are not counted as such.")
    if not RESULTS.is_dir():
        seen.notes.append(f"there is no folder {folder / RESULTS} yet.")
    print(text.as_json(seen) if asked.json else text.as_text(seen))


with command.running():
    main()
