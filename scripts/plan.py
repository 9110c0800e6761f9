"""Show what a study would run, and what it needs. Run it in the checkout: see --help."""

from pathlib import Path

from cellseg.plan import arguments, dry_run, hours, steps, text
from cellseg.runtime import command
from cellseg.space import plan as space
from cellseg.study import config_files
from cellseg.study.runs import all_runs, training_of

WORKFLOW = Path(__file__).resolve().parent.parent / "workflow"
RESULTS = Path("results")


def main() -> None:
    """Ask Snakemake for its plan, then add steps, hours and space."""
    asked = arguments.read()
    study = config_files.study(asked, Path.cwd(), WORKFLOW / "schemas/config.schema.yaml")
    given = arguments.step_times(asked.step_ms, study)
    planned = dry_run.jobs_of(config_files.of_snakemake(asked))
    trainings = steps.of_runs(study, planned.trainings, RESULTS)
    finished = hours.measured(study, all_runs(study), RESULTS)
    models = hours.by_model(trainings, finished, given, study["step_ms"])
    stops = any(training_of(study, model.model)["early_stopping"] for model in models)
    needed = space.lines(space.plan(study, RESULTS), None)
    print("\n".join(text.lines(planned, needed, models, stops, study["accelerator"])))


with command.running():
    main()
