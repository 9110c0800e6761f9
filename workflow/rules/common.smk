"""All Python of the workflow: the checked configuration, paths, and what each rule needs."""

import glob
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake import __version__ as snakemake_version
from snakemake.exceptions import WorkflowError
from snakemake.io import strip_wildcard_constraints

from cellseg import config as study_config
from cellseg import (
    application,
    asked_files,
    checkout_path,
    command_line,
    ensemble_checks,
    families,
    head_names,
    imports,
    needs,
    searches,
    signals,
    source,
)
from cellseg import study as studies
from cellseg.errors import UserError

REPLACED = "config_yaml_is_replaced"
given = workflow.config_settings
if given.replace_workflow_config:
    # Snakemake tells its jobs on a cluster which config files were given, and not that they take
    # the place of config.yaml: they would merge the two.
    given.config_args = [*given.config_args, f"{REPLACED}=True"]
elif REPLACED in given.overwrite_config:
    config.clear()
    config.update(given.overwrite_config)
    del config[REPLACED]

config_models = list(config.get("models") or [])  # without those that searches add

schema = yaml.safe_load(
    (Path(workflow.basedir) / "workflow/schemas/config.schema.yaml").read_text()
)
try:
    checkout_path.check(sys.executable, str(workflow.basedir))
    study = study_config.resolve(
        command_line.typed(config, given.config, schema), schema
    )
    study["apply"]["output"] = application.output_folder(
        study["apply"], "results/applied"
    )
    if workflow.is_main_process:
        # Snakemake tells a workflow its targets only once it is read.
        asked_files.check(sys.argv[1:], "results/", study, config_models)
except UserError as error:
    raise WorkflowError(str(error)) from None

config.update(study)  # scripts see the defaults too

if workflow.remote_exec:  # the Snakemake within a cluster's job
    signals.pass_on_sigterm()

DATA = "results/data/{dataset}"
TILES = f"{DATA}/tiles/{{tiling}}/{{split}}.npz"
EXTENSION = f"{DATA}/extended-{{times}}/{{split}}"
EXTENSION_TILES = f"{EXTENSION}/tiles/{{tiling}}.npz"
PRETRAINED = "results/data/pretrained/{pretrained}.h5"
RUN = f"results/{studies.RUN_FOLDER}"
TABLES = "results/{dataset}/tables/{experiment}"
FIGURES = "results/{dataset}/figures/{experiment}"
PUBLISHED = str(Path(workflow.basedir) / "workflow/published.csv")
OVERVIEW = "results/{dataset}/overview.rst"
SEARCH = "results/{dataset}/searches/{search}"
APPLIED = study["apply"]["output"]
SPLITS = ["train", "val", "test"]
RUNS = studies.all_runs(study)
GPUS = 1 if study["accelerator"] == "gpu" else 0


def one_of(names):
    """Wildcard constraint that admits these names only, or nothing when there are none."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def models():
    """Wildcard constraint of models: those of the configuration, and the trials of searches."""
    trials = [searches.trial_models(study, name) for name in study["searches"]]
    return "|".join([one_of(config_models), *trials])


def datasets_of(kind):
    """Names of the data sets of one kind."""
    return [name for name, entry in study["datasets"].items() if entry["kind"] == kind]


wildcard_constraints:
    dataset=one_of(study["datasets"]),
    model=models(),
    subset=one_of(study["subsets"]),
    experiment=one_of(study["experiments"]),
    tiling=one_of(study["tilings"]),
    pretrained=one_of(study["pretrained"]),
    heads=one_of(head_names.combinations()),
    seed="[0-9]+",
    tuning=one_of(study["tunings"]),
    search=one_of(study["searches"]),
    variant=f"(tuning-({one_of(study['tunings'])})/)?",
    split="train|val|test",
    times="[1-9][0-9]*",


def code(script, *modules):
    """Params function: fingerprint of a rule's script and of what it imports; edits rerun the rule.

    Only asked for jobs that are planned: a job on a cluster would wait for those of all rules.
    """
    scripts = Path(workflow.basedir) / "scripts"
    path, library = scripts / f"{script}.py", scripts / "cellseg"
    return lambda wildcards: imports.fingerprint(path, library, modules)


def code_with_family(script):
    """Params function: as `code`, with the module of the run's model family."""
    return lambda wildcards: code(
        script, families.FAMILIES[study["models"][wildcards.model]["family"]]
    )(wildcards)


def alike(benchmark, wildcards, whatever):
    """Glob pattern of the benchmark files of jobs like this one, whatever the named wildcards."""
    values = {
        name: "*" if name in whatever else glob.escape(value)
        for name, value in wildcards.items()
    }
    return benchmark.format(**values)


def memory(benchmark, first):
    """Resource function: MB, as jobs of the same model took; `first` while there are none."""
    return lambda wildcards, attempt: needs.memory_mb(
        alike(benchmark, wildcards, ("heads", "subset", "seed")), first, attempt
    )


def memory_of_training(benchmark, first):
    """Resource function: MB, as trainings with the same settings took; else `first`."""
    return lambda wildcards, attempt: needs.memory_mb(
        alike(benchmark, wildcards, ("heads", "subset", "seed")),
        first,
        attempt,
        needs.decisive(settings_of(wildcards)),
    )


def minutes_of_training(benchmark, first):
    """Resource function: time limit, as trainings on as much with the same settings took."""
    return lambda wildcards, attempt: needs.minutes(
        alike(benchmark, wildcards, ("heads", "seed")),
        first,
        attempt,
        needs.decisive(settings_of(wildcards)),
    )


def minutes(benchmark, first):
    """Resource function: time limit, as jobs of the same model took; else `first`."""
    return lambda wildcards, attempt: needs.minutes(
        alike(benchmark, wildcards, ("heads", "subset", "seed")), first, attempt
    )


def processors(benchmark, first):
    """Threads function: `first`, or fewer where earlier jobs kept fewer busy."""
    return lambda wildcards: needs.processors(
        alike(benchmark, wildcards, ("heads", "subset", "seed")), first
    )


def settings_of(wildcards):
    """Settings of one run, sorted: a change reruns what uses it and nothing else."""
    return studies.run_settings(
        study, wildcards.model, wildcards.heads, wildcards.subset, int(wildcards.seed)
    )


def passing(path):
    """Output that goes when all that needs it is made, unless the study keeps its maps."""
    return path if study["keep_maps"] else temp(path)


def tuning_of(wildcards):
    """Params function: name of the tuning that a file of a run belongs to, or None."""
    return studies.tuning_in(wildcards.variant)


def tuned_settings(wildcards):
    """Input function: the tuned settings of the watershed, or nothing where there is no tuning."""
    # A string, not a list of one: scripts take it for a path.
    return f"{RUN}/{wildcards.variant}chosen.json" if wildcards.variant else []


def run_label(wildcards):
    """What the report lists a picture of a run under.

    One label: of two or more, Snakemake's page makes switches where their values halve the list, and
    goes blank where not every combination is there.
    """
    name = "{model}/{heads}/{subset}, seed {seed}".format(**dict(wildcards.items()))
    tuning = tuning_of(wildcards) if "variant" in wildcards.keys() else None
    return {"run": f"{name}, tuned: {tuning}" if tuning else name}


def condition_of(wildcards):
    """The condition columns of a run's tables."""
    axes = ("dataset", "model", "heads", "subset")
    return {**{axis: wildcards[axis] for axis in axes}, "seed": int(wildcards.seed)}


def dataset_settings(*keys):
    """Params function: the named settings of a data set, sorted at every depth."""
    return lambda wildcards: studies.in_order(
        {
            key: study["datasets"][wildcards.dataset][key]
            for key in keys
            if key in study["datasets"][wildcards.dataset]
        }
    )


def ensembles_on(wildcards):
    """Params function: runs of ensembles that the images of a data set must do for."""
    return ensemble_checks.runs_on(study, wildcards.dataset)


def local_annotations(wildcards):
    """Annotation files of a local data set, so that a corrected one is read again."""
    entry = study["datasets"][wildcards.dataset]
    if entry["kind"] != "local":
        return []
    try:
        return source.annotation_files(source.local(wildcards.dataset, entry))
    except UserError:
        return []  # the rule use_local says what is wrong


def tiles_of(split):
    """Input function: the tiles that a run's model is trained on."""
    return lambda wildcards: TILES.format(
        dataset=wildcards.dataset,
        tiling=studies.tiling_of(study, wildcards.model),
        split=split,
    )


def extension_tiles_of(wildcards):
    """Input function: tiles of synthetic images that a run's subset asks for, or nothing."""
    return [
        EXTENSION_TILES.format(
            dataset=wildcards.dataset,
            times=times,
            split=split,
            tiling=studies.tiling_of(study, wildcards.model),
        )
        for times, split in studies.extensions(study["subsets"][wildcards.subset])
    ]


def extension_figures():
    """The picture of each extension that the study's runs use."""
    used = {
        (run.dataset, *extension)
        for run in RUNS
        for extension in studies.extensions(study["subsets"][run.subset])
    }
    return [
        f"{EXTENSION}/report/pca.png".format(dataset=dataset, times=times, split=split)
        for dataset, times, split in sorted(used)
    ]


def weights_of(wildcards):
    """Pretrained weights of a run's model, or nothing."""
    name = study["models"][wildcards.model].get("weights")
    # A string, not a list of one: scripts take it for a path.
    return [] if name is None else PRETRAINED.format(pretrained=name)


def run_files(name, chosen=studies.runs_of):
    """Input function: one file of every run of an experiment; {variant} is that of its tuning."""

    def files(wildcards):
        runs = chosen(study, wildcards.experiment)
        if any(run.dataset != wildcards.dataset for run in runs):
            raise WorkflowError(
                f"experiment '{wildcards.experiment}' is on data set '{runs[0].dataset}', "
                f"not '{wildcards.dataset}'."
            )
        variant = studies.variant_of(study, wildcards.experiment)
        return [f"{RUN}/{name}".format(**vars(run), variant=variant) for run in runs]

    return files


def told_in_captions(wildcards):
    """Params function: what the captions of an experiment's formatted tables tell of the study."""
    dataset = study["datasets"][wildcards.dataset]
    return {
        "name": wildcards.experiment,
        "title": study["experiments"][wildcards.experiment]["title"],
        "kind": dataset["kind"],
        "policy": dataset.get("policy", "as-published"),
        "every": study["scoring"]["every"],
        "small_objects_threshold": study["scoring"]["small_objects_threshold"],
    }


def first_runs(wildcards):
    """Params function: the first run of each condition of an experiment."""
    return [vars(run) for run in studies.first_runs(study, wildcards.experiment)]


def question_of(wildcards):
    """Params function: what an experiment asks, for its figures."""
    return study["experiments"][wildcards.experiment]["title"]


def trials_of(wildcards):
    """Input function: the table of a search, which no rule makes."""
    table = f"{SEARCH}/trials.csv".format(**wildcards)
    if not Path(table).exists():
        raise WorkflowError(
            f"{table} is not there: make the search with "
            f"`python scripts/search.py {wildcards.search} --cores 4`."
        )
    return table


def of_all_runs(*names):
    """Files of every run of the study; {variant} stands for each of its tunings."""
    files = [
        f"{RUN}/{name}".format(**vars(run), variant=variant)
        for run, variant in studies.all_variants(study)
        for name in names
    ]
    return list(dict.fromkeys(files))


def of_all_experiments(pattern):
    """A file of every experiment; {figure} stands for each of its figures."""
    return [
        pattern.format(
            dataset=entry.get("dataset", study["dataset"]),
            experiment=name,
            figure=figure,
        )
        for name, entry in study["experiments"].items()
        for figure in (entry["figures"] if "{figure}" in pattern else [None])
    ]


def on_dataset(files):
    """Input function: those of the files that belong to the results of a data set."""
    return lambda wildcards: [
        path for path in files if path.startswith(f"results/{wildcards.dataset}/")
    ]


def benchmark_patterns(wildcards):
    """Params function: the benchmark files of each rule, with wildcards in braces."""
    return {
        one.name: str(strip_wildcard_constraints(one.benchmark))
        for one in workflow.rules
        if one.benchmark
    }


def of_used_datasets(pattern):
    """A file of every data set that an experiment uses."""
    return sorted({pattern.format(dataset=run.dataset) for run in RUNS})


def chosen_for_apply(wildcards):
    """Params function: what tells the run and the images of `apply` from others."""
    try:
        return application.stamp(study["apply"])
    except UserError as error:
        raise WorkflowError(str(error)) from None


def used_tiles():
    """Tiles that the study's runs are trained on."""
    used = {(run.dataset, studies.tiling_of(study, run.model)) for run in RUNS}
    return [
        TILES.format(dataset=dataset, tiling=tiling, split=split)
        for dataset, tiling in sorted(used)
        for split in ("train", "val")
    ]


def used_weights():
    """Pretrained weight files that the study's models start from."""
    names = {study["models"][run.model].get("weights") for run in RUNS} - {None}
    return [PRETRAINED.format(pretrained=name) for name in sorted(names)]


def partition(resources):
    """The Slurm partition that a profile's resources name, or None."""
    return resources["slurm_partition"].raw if "slurm_partition" in resources else None


if workflow.is_main_process and not GPUS and not workflow.output_settings.quiet:
    profile = workflow.resource_settings
    of_trainings = partition(profile.overwrite_resources.get("train", {}))
    if of_trainings not in (None, partition(profile.default_resources or {})):
        print(
            "Warning: `accelerator` is cpu, and the profile sends trainings to the partition "
            f"{of_trainings} without asking for a GPU. Set `accelerator: gpu` in the config, or name "
            "a partition without GPUs below `train` in the profile.",
            file=sys.stderr,
        )

if workflow.is_main_process and workflow.output_settings.dryrun:
    if not workflow.output_settings.quiet:
        from cellseg import space  # with NumPy, which no job has to wait for

        # The plan goes to stdout, where it is read by programs too.
        for line in space.lines(
            space.plan(study, "results"), workflow.resource_settings.nodes
        ):
            print(line, file=sys.stderr)
