"""All Python of the workflow: the checked configuration, paths, and what each rule needs."""

import atexit
import functools
import glob
import os
import sys
import time
from pathlib import Path

SCRIPTS = str(Path(workflow.basedir) / "scripts")
sys.path.insert(0, SCRIPTS)

from snakemake import __version__ as snakemake_version
from snakemake.cli import get_argument_parser
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.exceptions import WorkflowError
from snakemake.io import strip_wildcard_constraints
from snakemake.logging import logger
from snakemake.resources import Resources

from cellseg import models as families
from cellseg.apply import request
from cellseg.data import kinds, unreachable
from cellseg.data.splits import HELD_OUT, SPLITS, TRAINING_SPLITS
from cellseg.io import run_files
from cellseg.jobs import cluster as clusters
from cellseg.jobs import network_memory, resources as needs, slurm_refusals
from cellseg.live import dry_run, handler as live_handler, job as live_job
from cellseg.runtime import (
    checkout_path,
    compiled_kernels,
    fingerprint_store,
    job_environment,
    job_output,
    signals,
    workflow_profile,
)
from cellseg.study import (
    config_files,
    ensembles,
    folds,
    fusion_checks,
    fusion_names,
    fusions,
    outside,
    overrides,
    pseudo_labels,
    runs as studies,
    searches,
    segmentation_methods,
    starts,
    target_names,
    validation,
)
from cellseg.tables import paper_names
from cellseg.targets import head_names
from cellseg.errors import UserError, printable

job_environment.prepare(SCRIPTS)
compiled_kernels.forget_stale(Path(SCRIPTS) / "cellseg")

REPLACED = "config_yaml_is_replaced"
given = workflow.config_settings
if given.replace_workflow_config:
    # Snakemake passes the config files to its jobs on a cluster, but not that they replace
    # config.yaml: jobs would merge the two.
    given.config_args = [*given.config_args, f"{REPLACED}=True"]
elif REPLACED in given.overwrite_config:
    config.clear()
    config.update(given.overwrite_config)
    del config[REPLACED]

config_models = list(config.get("models") or [])  # without those that searches add

schema = config_files.read_schema(
    Path(workflow.basedir) / "workflow/schemas/config.schema.yaml"
)
try:
    checkout_path.check(sys.executable, str(workflow.basedir))
    study = validation.resolve(overrides.typed(config, given.config, schema), schema)
    study["apply"]["output"] = request.output_folder(study["apply"], "results/applied")
    cluster = clusters.read(os.environ.get(clusters.VARIABLE))
    ON_GPU = study["accelerator"] == "gpu"
    partitions = clusters.ask_slurm() if cluster and workflow.is_main_process else {}
    if cluster:
        clusters.check_partitions(cluster, ON_GPU, partitions)
except UserError as error:
    raise WorkflowError(printable(error)) from None

config.update(study)  # scripts see the defaults too

if workflow.remote_exec:  # the Snakemake within a cluster's job
    signals.pass_on_sigterm()

if workflow.is_main_process:
    # Its settings are known only once a workflow is read, and the plan printed right after.
    without_profile = workflow_profile.warning(
        sys.argv[1:], Path(workflow._rundir), Path(workflow.basedir)
    )
    if without_profile:
        print(without_profile, file=sys.stderr)

DATA = "results/data/{dataset}"
TILES = f"{DATA}/tiles/{{tiling}}/{{split}}.npz"
CONTENT = (
    ".content.json"  # next to a file that may be too large for Snakemake to compare
)
EXTENSION = f"{DATA}/extended-{{times}}/{{split}}"
EXTENSION_TILES = f"{EXTENSION}/tiles/{{tiling}}.npz"
# Data set and subset are those of the runs that learn, the others of the run that finds the cells.
PSEUDO = f"{DATA}/{pseudo_labels.FOLDER}"
PSEUDO_TILES = f"{PSEUDO}/tiles/{{tiling}}.npz"
PRETRAINED = "results/data/pretrained/{pretrained}.h5"
RUN = f"results/{studies.RUN_FOLDER}"
TABLES = "results/{dataset}/tables/{experiment}"
FIGURES = "results/{dataset}/figures/{experiment}"
# Relative: Snakemake compares paths, and a moved checkout must not rerun what it feeds.
PUBLISHED = os.path.relpath(Path(workflow.basedir) / "workflow/published.csv")
PAPERS = "results/{dataset}/published/{paper}"
ANSWERS = "results/{dataset}/answers.rst"
OVERVIEW = "results/{dataset}/overview.rst"
SEARCH = "results/{dataset}/searches/{search}"
APPLIED = study["apply"]["output"]
METHOD_MODULES = [method.module for method in segmentation_methods.METHODS.values()]
RUNS = studies.all_runs(study)
# With the runs that they start from or are fused of.
TRAINED_FROM = starts.with_sources(study, RUNS)
STARTED = time.time()
GPUS = 1 if ON_GPU and clusters.counts_gpus(cluster) else 0
OF_NETWORKS = clusters.of_networks(cluster, ON_GPU)
# Short jobs go to Slurm in groups, whose members run one after the other: such a group asks for one
# member's processors and memory, and for the sum of their times.
SHORT = {"serial": 1} if cluster else {}
MINUTES_OF_SHORT = (cluster or clusters.Cluster()).max_runtime // clusters.GROUPED


resource_scopes:
    serial="local",  # within a group, not over all jobs
    runtime="local",  # so that its limit below is one for each job


if cluster:
    # Here and not in the profile, whose lists --default-resources and --resources replace.
    given_resources = workflow.resource_settings
    defaults = Resources.from_mapping(cluster.jobs)
    defaults.update(given_resources.default_resources or Resources.default("bare"))
    given_resources.default_resources = defaults
    most_mb = clusters.most_memory(cluster, ON_GPU, partitions)
    limits = {"serial": 1, "mem_mb": most_mb, "runtime": cluster.max_runtime}
    for name, most in limits.items():
        if most is not None and name not in workflow.global_resources:
            workflow.global_resources[name] = most  # of a job that asks for more, too
if workflow.is_main_process and "snakemake_executor_plugin_slurm" in sys.modules:
    slurm_refusals.watch(
        sys.modules["snakemake_executor_plugin_slurm"].Executor, logger.error
    )


def one_of(names):
    """Wildcard constraint that admits these names only, or nothing when there are none."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def networks():
    """Wildcard constraint of models: those that are trained, and the trials of searches."""
    trials = [
        searches.trial_models(study, name) for name in study["hyperparameter_searches"]
    ]
    untrained = [*outside.names(study), *fusions.names(study)]
    trained = set(config_models) - set(untrained)
    return "|".join([one_of(trained), *trials])


def datasets_made_by(rule):
    """Names of the data sets whose source.json a rule makes."""
    entries = study["datasets"].items()
    return [name for name, entry in entries if kinds.of(entry).rule == rule]


of_experiment = schema["properties"]["experiments"]["additionalProperties"]
KNOWN = {
    **{
        axis: list(study[f"{axis}s"])
        for axis in ("dataset", "model", "subset", "experiment", "tiling")
    },
    "tuning": list(study["threshold_searches"]),
    "search": list(study["hyperparameter_searches"]),
    "pretrained": list(study["pretrained"]),
    "heads": [*head_names.combinations(), head_names.INSTANCES, head_names.OUTSIDE],
    "figure": of_experiment["properties"]["figures"]["items"]["enum"],
    "split": SPLITS,
    "paper": list(paper_names.PAPERS),
}


wildcard_constraints:
    dataset=one_of(KNOWN["dataset"]),
    model=networks(),
    subset=one_of(KNOWN["subset"]),
    experiment=one_of(KNOWN["experiment"]),
    figure=one_of(KNOWN["figure"]),
    tiling=one_of(KNOWN["tiling"]),
    pretrained=one_of(KNOWN["pretrained"]),
    heads=f"{head_names.PATTERN}|{head_names.INSTANCES}",
    seed="[0-9]+",
    tuning=one_of(KNOWN["tuning"]),
    search=one_of(KNOWN["search"]),
    variant=f"(tuning-({one_of(KNOWN['tuning'])})/)?",
    split=one_of(KNOWN["split"]),
    paper=one_of(KNOWN["paper"]),
    times="[1-9][0-9]*",


# Of rules for networks that predict maps, for those that find instances, and for both.
OF_MAPS = {"heads": head_names.PATTERN}
OF_INSTANCES = {"heads": head_names.INSTANCES}
# Of rules for runs that train a network, and for those that put those of all folds together.
JOINED = [name for name in study["subsets"] if name.endswith(studies.ALL_FOLDS)]
OF_TRAINED = {"subset": one_of(set(study["subsets"]) - set(JOINED))}
OF_JOINED = {"subset": one_of(JOINED)}
OF_NETWORK = {"heads": f"{head_names.PATTERN}|{head_names.INSTANCES}"}
# Of rules for runs that are fused of others, and of those that follow for these and for networks.
OF_FUSION = {"model": one_of(fusions.names(study)), "heads": head_names.INSTANCES}
WITH_FUSION = {"model": f"{networks()}|{one_of(fusions.names(study))}"}
# Of rules for runs whose cells another program found, in the place of the above.
OF_OUTSIDE = {
    "model": one_of(outside.names(study)),
    "heads": head_names.OUTSIDE,
    "variant": "()",  # an empty constraint would be none
}


def code(script, *modules):
    """Params function: fingerprint of a rule's script and of what it imports; edits rerun the rule.

    Only asked for jobs that are planned: a job on a cluster would wait for those of all rules.
    """
    scripts = Path(workflow.basedir) / "scripts"
    path, library = scripts / f"{script}.py", scripts / "cellseg"
    return lambda wildcards: fingerprint_store.fingerprint(path, library, modules)


def code_with_family(script, facts=False, also=None):
    """Params function: as `code`, with the run's model family, its facts if asked for, and others.

    `also` is a function of the wildcards, such as `method_modules`.
    """

    def digits(wildcards):
        used = [
            families.FAMILIES[name]
            for name in fusions.families_of(study, wildcards.model)
        ]
        modules = [
            *(family.module for family in used),
            *(family.facts for family in used if facts),
            *(also(wildcards) if also else []),
        ]
        return code(script, *modules)(wildcards)

    return digits


def environment_of(wildcards):
    """Conda environment of a run's network; for `apply` of the one that it names."""
    model = study["models"].get(wildcards.get("model"))
    try:
        family = model["family"] if model else request.family(study["apply"])
    except UserError:  # said once the job asks which run it is
        family = None
    on_torch = families.needs_torch(family) or family == fusion_names.FUSION
    computes = "torch" if on_torch else study["accelerator"]
    return f"../../envs/train-{computes}.yaml"


def segmentation_of(wildcards):
    """Params function: the settings of the segmentation of a run, sorted at every depth."""
    return studies.in_order(segmentation_methods.settings_for(study, wildcards.heads))


def method_of(wildcards):
    """The segmentation method of a run."""
    return segmentation_methods.METHODS[segmentation_of(wildcards)["method"]]


def name_of_method(wildcards):
    """Params function: name of the method that finds the cells of a run; None of another program."""
    outside_run = wildcards.heads == head_names.OUTSIDE
    return None if outside_run else segmentation_of(wildcards)["method"]


def method_modules(wildcards):
    """Names of the modules of a run's segmentation method."""
    return [method_of(wildcards).module]


def code_with_method(script):
    """Params function: as `code`, with the run's segmentation method."""
    return lambda wildcards: code(script, *method_modules(wildcards))(wildcards)


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


def memory_of_training(benchmark):
    """Resource function: MB, as trainings with the same settings took; else by the network."""

    def megabytes(wildcards, attempt):
        settings = settings_of(wildcards)
        return needs.memory_mb(
            alike(benchmark, wildcards, ("heads", "subset", "seed")),
            needs.with_spare(network_memory.training_mb(settings, ON_GPU)),
            attempt,
            needs.decisive(settings),
        )

    return megabytes


def memory_of_prediction(benchmark, gpu=ON_GPU):
    """Resource function: MB, as predictions of the same model took; else by the network."""

    def megabytes(wildcards, attempt):
        entry = study["datasets"][wildcards.dataset]
        expected = network_memory.prediction_mb(
            settings_of(wildcards),
            study["prediction"],
            kinds.of(entry).pixels(entry),
            gpu,
        )
        return needs.memory_mb(
            alike(benchmark, wildcards, ("heads", "subset", "seed")),
            needs.with_spare(expected),
            attempt,
        )

    return megabytes


def minutes_of_training(benchmark, first):
    """Resource function: time limit, as trainings on as much with the same settings took."""
    return lambda wildcards, attempt: needs.minutes(
        alike(benchmark, wildcards, ("heads", "seed")),
        first,
        attempt,
        needs.decisive(settings_of(wildcards)),
    )


def minutes(benchmark, first, most=needs.MOST_MINUTES):
    """Resource function: time limit, as jobs of the same model took; else `first`; at most `most`."""
    return lambda wildcards, attempt: min(
        needs.minutes(
            alike(benchmark, wildcards, ("heads", "subset", "seed")), first, attempt
        ),
        most,
    )


def processors(benchmark, first):
    """Threads function: `first`, or fewer where earlier jobs kept fewer busy."""
    return lambda wildcards: needs.processors(
        alike(benchmark, wildcards, ("heads", "subset", "seed")), first
    )


def settings_of(wildcards):
    """Settings of one run, sorted: a change reruns what uses it and nothing else."""
    axes = wildcards.model, wildcards.heads, wildcards.subset, int(wildcards.seed)
    try:
        return studies.run_settings(study, *axes)
    except UserError as error:
        raise WorkflowError(printable(error)) from None


def passing(path):
    """Output that goes when all that needs it is made, unless the study keeps its predictions."""
    return path if study["keep_predictions"] else temp(path)


def run_of(wildcards):
    """The run that a file belongs to."""
    axes = ("dataset", "model", "heads", "subset")
    return studies.Run(*(wildcards[axis] for axis in axes), int(wildcards.seed))


def files_from_outside(wildcards):
    """Params function: where the predictions of another program are."""
    return outside.files_of(study, run_of(wildcards))


def content_from_outside(wildcards):
    """Params function: what those files hold, whatever their dates."""
    run = run_of(wildcards)
    memory = Path(".snakemake/predictions") / f"{run.folder}.json"
    return outside.content(study, run, memory)


def of_members(name):
    """Input function: a file of each run that a run is fused, or put together, of."""

    def files(wildcards):
        run = run_of(wildcards)
        fused = [member.run for member in fusions.members_of(study, run)]
        return [
            f"{RUN}/{name}".format(**vars(member), tuning=wildcards.get("tuning"))
            for member in fused or folds.members(study, run)
        ]

    return files


def check_export(wildcards):
    """Refuse to export runs of several networks, before anything is trained for it."""
    try:
        fusion_checks.check_export(study, run_of(wildcards))
    except UserError as error:
        raise WorkflowError(printable(error)) from None


def weights_to_export(wildcards):
    """Input function: weights of a run to export."""
    check_export(wildcards)
    return f"{RUN}/{run_files.WEIGHTS}"


def of_exported_members(name):
    """Input function: as `of_members`, of a run to export; refuses members that cannot be."""

    def files(wildcards):
        check_export(wildcards)
        return of_members(name)(wildcards)

    return files


def fusion_of(wildcards):
    """Params function: how the members of a run are fused."""
    return fusions.settings_of(study, run_of(wildcards))


def sample_of(wildcards):
    """Params function: the share of the scored images that a run's seed draws; None for all."""
    return studies.sample_of(study, wildcards.subset, int(wildcards.seed))


def channels_of(wildcards):
    """Params function: channels of the maps to store, those that the segmentation uses."""
    heads = head_names.split(wildcards.heads)
    method = method_of(wildcards)
    return {"precise": method.precise(heads), "stored": method.stored(heads)}


def tuning_of(wildcards):
    """Params function: name of the threshold search that a file of a run belongs to, or None."""
    return studies.tuning_in(wildcards.variant)


def tuned_settings(wildcards):
    """Input function: the chosen settings of the segmentation; nothing without a threshold search."""
    # A string, not a list of one: scripts take it for a path.
    return f"{RUN}/{wildcards.variant}{run_files.CHOSEN}" if wildcards.variant else []


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


def settings_of_source(wildcards):
    """Params function: what of its settings makes a data set, sorted at every depth."""
    entry = study["datasets"][wildcards.dataset]
    return studies.in_order(
        {key: entry[key] for key in kinds.of(entry).settings if key in entry}
    )


def layout_of(wildcards):
    """Params function: module that reads the folder of a public data set."""
    entry = study["datasets"][wildcards.dataset]
    return kinds.of(entry).layout(entry)


def ensembles_on(wildcards):
    """Params function: runs of ensembles that the images of a data set must suffice for."""
    return ensembles.runs_on(study, wildcards.dataset)


@functools.cache
def annotation_files_of(name):
    """Annotation files of a data set that the user made; folders of them are walked once a call."""
    entry = study["datasets"][name]
    return kinds.of(entry).annotation_files(name, entry)


def annotations_of_user(wildcards):
    """Input function: annotation files that the user made, so that a corrected one is read again."""
    try:
        return list(annotation_files_of(wildcards.dataset))
    except UserError as error:
        raise WorkflowError(printable(error)) from None


def content_of_images_of_user(wildcards):
    """Params function: what the user's images hold, whatever their dates; None for others.

    Not as inputs: thousands of paths would fill the plan, and results could not be redrawn once
    the images are put away.
    """
    name, entry = wildcards.dataset, study["datasets"][wildcards.dataset]
    memory = Path(f".snakemake/local-images/{name}.json")
    return kinds.of(entry).content(name, entry, [Path("results")], memory)


def tiles_of(split):
    """Input function: the tiles that a run's model is trained on, whatever their date."""
    return lambda wildcards: ancient(
        TILES.format(
            dataset=wildcards.dataset,
            tiling=studies.tiling_of(study, wildcards.model),
            split=split,
        )
    )


def extension_tiles_of(wildcards):
    """Input function: tiles of synthetic images that a run's subset asks for, or nothing."""
    return [
        ancient(
            EXTENSION_TILES.format(
                dataset=wildcards.dataset,
                times=times,
                split=split,
                tiling=studies.tiling_of(study, wildcards.model),
            )
        )
        for times, split in studies.extensions(study["subsets"][wildcards.subset])
    ]


def pseudo_folder(run):
    """Folder of the pseudo-labels that a run learns, or None."""
    taught_by = pseudo_labels.teacher(study, run)
    if taught_by is None:
        return None
    named = {**vars(taught_by), "dataset": run.dataset, "subset": run.subset}
    return PSEUDO.format(**named)


def pseudo_labels_of(wildcards):
    """Input function: tiles, cells and record of a run's pseudo-labels, or nothing."""
    run = run_of(wildcards)
    try:
        starts.check_needed(study, run)
        folder = pseudo_folder(run)
        # Once the cells are found, the images may be put away.
        if folder is not None and not Path(folder, "about.json").exists():
            pseudo_labels.refuse_missing(study, run.subset)
    except UserError as error:
        raise WorkflowError(printable(error)) from None
    if folder is None:
        return []
    tiling = studies.tiling_of(study, run.model)
    return [
        ancient(f"{folder}/tiles/{tiling}.npz"),
        ancient(f"{folder}/labels.cells.npz"),
        f"{folder}/about.json",
    ]


def finder_of(wildcards):
    """The run that finds the cells of a folder of pseudo-labels."""
    entry = pseudo_labels.entry_of(study, wildcards.subset)
    where = f"subsets.{wildcards.subset}"
    if entry is None:
        raise WorkflowError(f"{where} has no pseudo_labels. Name a subset that has.")
    for axis in ("model", "heads", "seed"):
        if axis in entry and str(entry[axis]) != wildcards[axis]:
            raise WorkflowError(
                f"{where}.{pseudo_labels.KEY}: a run of {axis} {entry[axis]} finds the cells, not "
                f"of {wildcards[axis]}. Name the folder of that run."
            )
    return studies.Run(
        entry.get("dataset", wildcards.dataset),
        wildcards.model,
        wildcards.heads,
        entry["subset"],
        int(wildcards.seed),
    )


def weights_of_finder(wildcards):
    """Input function: weights of the run that finds the cells; refuses to find none."""
    made = Path(PSEUDO.format(**dict(wildcards.items())), "about.json").exists()
    try:
        if not made:
            pseudo_labels.refuse_missing(study, wildcards.subset)
    except UserError as error:
        raise WorkflowError(printable(error)) from None
    return of_finder(run_files.WEIGHTS)(wildcards)


def of_finder(name):
    """Input function: a file of the run that finds the cells."""
    return lambda wildcards: f"{RUN}/{name}".format(**vars(finder_of(wildcards)))


def tuned_for_finder(wildcards):
    """Input function: thresholds chosen for the run that finds the cells, or nothing."""
    run, entry = (
        finder_of(wildcards),
        pseudo_labels.entry_of(study, wildcards.subset),
    )
    search = entry["threshold_search"]
    chosen = f"{RUN}/tuning-{search}/{run_files.CHOSEN}"
    return chosen.format(**vars(run)) if search else []


def named_finder(wildcards):
    """Params function: the axes of the run that finds the cells."""
    return dict(vars(finder_of(wildcards)))


def kind_of_finder(wildcards):
    """Params function: kind of the data set of the run that finds the cells."""
    return study["datasets"][finder_of(wildcards).dataset]["kind"]


def floor_of(wildcards):
    """Params function: which cells and images of a folder of pseudo-labels are learnt."""
    entry = pseudo_labels.entry_of(study, wildcards.subset)
    return {key: entry[key] for key in pseudo_labels.OF_FINDING}


def unlabelled(wildcards):
    """Params function: the folder of unlabelled images."""
    return pseudo_labels.entry_of(study, wildcards.subset)["images"]


def content_of_unlabelled(wildcards):
    """Params function: what the unlabelled images hold, whatever their dates."""
    from cellseg.data import local_images

    found = pseudo_labels.files(
        unlabelled(wildcards), pseudo_labels.without(study["datasets"])
    )
    name = f"{wildcards.dataset}-{wildcards.subset}.json"
    return local_images.stamp(found, Path(".snakemake/unlabelled-images") / name)


def splits_of(wildcards):
    """Splits of the data set that a run is trained on and validated with."""
    return studies.splits_of(study["subsets"][wildcards.subset])


def fold_tiles_of(wildcards):
    """Input function: tiles of the splits besides train and val that a run's folds are of."""
    return [
        tiles_of(split)(wildcards)
        for split in splits_of(wildcards)
        if split not in TRAINING_SPLITS
    ]


def fold_images_of(wildcards):
    """Input function: the images of those splits."""
    return [
        f"{DATA}/annotations/{split}.images.parquet"
        for split in splits_of(wildcards)
        if split not in TRAINING_SPLITS
    ]


def of_splits(pattern):
    """Input function: a file of each split that a run is trained on and validated with."""
    return lambda wildcards: [
        pattern.format(dataset=wildcards.dataset, split=split)
        for split in splits_of(wildcards)
    ]


def of_scored(pattern, listed=False):
    """Input function: a file of the split whose images a run is scored on; of all for folds."""

    def path(wildcards):
        split = folds.scored_split(study, wildcards.subset)
        one = pattern.format(dataset=wildcards.dataset, split=split)
        return [one] if listed else one

    return path


def tuned_by(wildcards):
    """By what the threshold search of a run's file, or of an experiment, chooses; None for all images."""
    if "experiment" in wildcards.keys():
        name = study["experiments"][wildcards.experiment]["threshold_search"]
    else:
        name = wildcards.get("tuning") or tuning_of(wildcards)
    return name and study["threshold_searches"][name]["by"]


def by_cell_type(files):
    """Input function: those of `files` if thresholds are chosen by cell type, else nothing."""
    return lambda wildcards: files(wildcards) if tuned_by(wildcards) else []


def data_split_of(wildcards):
    """Params function: what tables call the images that a run is scored on."""
    if folds.scores_its_fold(study, wildcards.subset):
        return HELD_OUT
    return study["scoring"]["data_split"]


def subsets_of_folds(wildcards):
    """Params function: the subset without its fold, of each subset of an experiment's folds."""
    return folds.of_experiment(study, wildcards.experiment)


def folds_of_experiments(wildcards):
    """Params function: those of each experiment of a data set, as :func:`subsets_of_folds`."""
    return [
        folds.of_experiment(study, experiment)
        for experiment, entry in study["experiments"].items()
        if entry.get("dataset", study["dataset"]) == wildcards.dataset
    ]


def out_of_fold_tables(*names):
    """Tables of all folds together, of each experiment that scores held-out images."""
    return [
        f"{TABLES}/{name}".format(
            dataset=entry.get("dataset", study["dataset"]), experiment=experiment
        )
        for experiment, entry in study["experiments"].items()
        if folds.of_experiment(study, experiment)
        for name in names
    ]


def shown_summaries():
    """The scores over seeds of each experiment, of all folds together where it has folds."""
    return [
        f"{TABLES}/{'out_of_fold_' if folds.of_experiment(study, experiment) else ''}summary.csv".format(
            dataset=entry.get("dataset", study["dataset"]), experiment=experiment
        )
        for experiment, entry in study["experiments"].items()
    ]


def content_of_tiles(wildcards):
    """Input function: what the tiles of a run hold, in small files that Snakemake compares."""
    tiles = [tiles_of(split)(wildcards) for split in splits_of(wildcards)]
    made = [*tiles, *extension_tiles_of(wildcards), *pseudo_labels_of(wildcards)[:1]]
    return [path + CONTENT for path in made]


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


def outlines_of(wildcards):
    """Input function: the outlines that a detector learns; nothing of networks that learn maps."""
    if wildcards.heads != head_names.INSTANCES:
        return []
    labels = f"{DATA}/labels/{{split}}.cells.npz"
    return [
        ancient(labels.format(dataset=wildcards.dataset, split=split))
        for split in TRAINING_SPLITS
    ]


def settings_of_painting(wildcards):
    """Input function: the settings that painted the cells of a detector's run; nothing of others."""
    is_instances = wildcards.heads == head_names.INSTANCES
    return f"{RUN}/{{variant}}{run_files.SEGMENTATION}" if is_instances else []


def draws_boxes(wildcards):
    """Params function: whether the overlay of a run has boxes: of detections, or of cells."""
    is_instances = wildcards.heads == head_names.INSTANCES
    return study["overlays"]["detections" if is_instances else "boxes"]


def instances_of(wildcards):
    """Input function: the detections of a detector's run; nothing of other runs."""
    # A string, not a list of one: scripts take it for a path.
    is_instances = wildcards.heads == head_names.INSTANCES
    return f"{RUN}/{run_files.INSTANCES}" if is_instances else []


def weights_of(wildcards):
    """Pretrained weights of a run's model, or nothing."""
    name = study["models"][wildcards.model].get("weights")
    # A string, not a list of one: scripts take it for a path.
    return [] if name is None else PRETRAINED.format(pretrained=name)


def start_of(wildcards):
    """Input function: what a run's model starts from, an earlier run or a file; or nothing."""
    run = run_of(wildcards)
    try:
        starts.refuse_files(study, [run])
    except UserError as error:
        raise WorkflowError(printable(error)) from None
    begun, file = starts.source_of(study, run), starts.file_of(study, run)
    if begun is not None:
        names = run_files.WEIGHTS, run_files.SETTINGS, run_files.PROVENANCE
        return [f"results/{begun.folder}/{name}" for name in names]
    pretrained = starts.pretrained_of(study, run)
    if pretrained is not None:
        file = PRETRAINED.format(pretrained=pretrained)
    return [] if file is None else [file]


def of_runs(name, chosen=studies.runs_of):
    """Input function: one file of every run of an experiment; {variant} is that of its threshold search."""

    def files(wildcards):
        runs = chosen(study, wildcards.experiment)
        if any(run.dataset != wildcards.dataset for run in runs):
            raise WorkflowError(
                f"experiment '{wildcards.experiment}' is on data set '{runs[0].dataset}', "
                f"not '{wildcards.dataset}'."
            )
        return [
            f"{RUN}/{name}".format(
                **vars(run),
                variant=studies.variant_of(study, wildcards.experiment, run),
            )
            for run in runs
        ]

    return files


def told_in_captions(wildcards):
    """Params function: what captions of an experiment's formatted tables say about the study."""
    dataset = study["datasets"][wildcards.dataset]
    return {
        "name": wildcards.experiment,
        "title": study["experiments"][wildcards.experiment]["title"],
        "kind": dataset["kind"],
        "duplicates": dataset.get("duplicates", "keep"),
        "subsample": study["scoring"]["subsample"],
        "sampled": studies.is_sampled(study, wildcards.experiment),
        "min_size": study["scoring"]["min_size"],
    }


def first_runs(wildcards):
    """Params function: the first run of each condition of an experiment."""
    return [vars(run) for run in studies.first_runs(study, wildcards.experiment)]


def pixel_size_of(wildcards):
    """Params function: micrometres of a side of a pixel of a data set, or None."""
    return study["datasets"][wildcards.dataset].get("pixel_size")


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


def of_all_runs(*names, trained=False):
    """Files of every run of the study; {variant} is that of each of its threshold searches."""
    files = [
        f"{RUN}/{name}".format(**vars(run), variant=variant)
        for run, variant in studies.all_variants(study)
        for name in names
        if studies.is_trained(study, run) or not trained
    ]
    return list(dict.fromkeys(files))


def of_all_experiments(pattern):
    """A file of every experiment; {figure} becomes each of its figures."""
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


def first_figure(wildcards):
    """Input function: the first figure of an experiment, as a list; by name, whatever their order."""
    files = of_all_experiments(f"{FIGURES}/{{figure}}.png")
    shown = on_dataset(files)(wildcards)
    first = min((os.path.dirname(path) for path in shown), default=None)
    return [path for path in shown if os.path.dirname(path) == first][:1]


def shown_in_overview(wildcards):
    """Params function: what the front page of a data set shows of the study."""
    mine = {
        name: {key: entry[key] for key in ("title", "conditions", "threshold_search")}
        for name, entry in study["experiments"].items()
        if entry.get("dataset", study["dataset"]) == wildcards.dataset
    }
    used = {run.model for run in RUNS if run.dataset == wildcards.dataset}
    fused = sorted(used & set(fusions.names(study)))
    return studies.in_order(
        {
            **({"fused": fused} if fused else {}),
            "dataset": wildcards.dataset,
            "datasets": {
                wildcards.dataset: {
                    "kind": study["datasets"][wildcards.dataset]["kind"]
                }
            },
            "experiments": mine,
            "models": sorted(used),
            "scoring": {
                key: study["scoring"][key] for key in ("subsample", "min_size")
            },
            "segmentation": {"method": study["segmentation"]["method"]},
            "segmentation_by_heads": {
                heads: {"method": entry["method"]}
                for heads, entry in study["segmentation_by_heads"].items()
            },
            "tilings": sorted(study["tilings"]),
        }
    )


def benchmark_patterns(wildcards):
    """Params function: the benchmark files of each rule, with wildcards in braces."""
    return {
        one.name: str(strip_wildcard_constraints(one.benchmark))
        for one in workflow.rules
        if one.benchmark
    }


def of_used_datasets(pattern, runs=RUNS):
    """A file of every data set that an experiment uses."""
    return sorted({pattern.format(dataset=run.dataset) for run in runs})


def chosen_for_apply(wildcards):
    """Params function: what identifies the run and the images of `apply`."""
    try:
        return request.stamp(study["apply"])
    except UserError as error:
        raise WorkflowError(printable(error)) from None


def used_tiles():
    """Tiles that the study's runs are trained on."""
    used = {
        (run.dataset, studies.tiling_of(study, run.model), split)
        for run in TRAINED_FROM
        if studies.is_trained(study, run)
        for split in studies.splits_of(study["subsets"][run.subset])
    }
    return [
        TILES.format(dataset=dataset, tiling=tiling, split=split)
        for dataset, tiling, split in sorted(used)
    ]


def weights_used():
    """Names of the pretrained weights that the study's models start from."""
    names = {
        name
        for run in TRAINED_FROM
        for name in (
            study["models"][run.model].get("weights"),
            starts.pretrained_of(study, run),
        )
    }
    return sorted(names - {None})


def used_weights():
    """Pretrained weight files that the study's models start from."""
    return [PRETRAINED.format(pretrained=name) for name in weights_used()]


def names_of_command():
    """Targets of the command, and what other options name: Snakemake gives them only later."""
    if Path(sys.argv[0]).name not in ("snakemake", "__main__.py"):
        return [], []  # called from Python
    given = get_argument_parser().parse_args(sys.argv[1:])
    others = (given.until, given.omit_from, given.forcerun, given.prioritize)
    return given.targets, [name for names in others for name in names or []]


def makeable():
    """What all rules make: outputs first, then logs and benchmarks."""
    outputs = [path for one in workflow.rules for path in one.output]
    products = [path for one in workflow.rules for path in one.products()]
    for path in dict.fromkeys([*outputs, *products]):
        matched = lambda asked, path=path: (
            found.groupdict() if (found := path.match(asked)) else None
        )
        yield target_names.Makeable(str(strip_wildcard_constraints(path)), matched)


def datasets_on():
    """The data set of each experiment and search."""
    return {
        axis: {
            name: entry.get("dataset", study["dataset"])
            for name, entry in study[entries].items()
        }
        for axis, entries in (
            ("experiment", "experiments"),
            ("search", "hyperparameter_searches"),
        )
    }


def runs_named(wildcards):
    """The run that the wildcards of a target name, in a list; none if they name no run."""
    axes = ("dataset", *studies.AXES)
    if not set(axes) <= wildcards.keys():
        return []
    named = {axis: wildcards[axis] for axis in axes}
    return [studies.Run(**{**named, "seed": int(named["seed"])})]


def needed_datasets(targets, files):
    """Data sets that the targets of a command are made of."""
    rules_named = {one.name for one in workflow.rules} & set(targets)
    if not targets or rules_named - {"apply"}:
        return sorted({run.dataset for run in TRAINED_FROM})
    asked = [target_names.wildcards(target, files) or {} for target in targets]
    named = {found["dataset"] for found in asked if "dataset" in found}
    begun = [
        run
        for found in asked
        for run in (
            studies.runs_of(study, found["experiment"])
            if "experiment" in found
            else runs_named(found)
        )
    ]
    return sorted(named | {run.dataset for run in starts.with_sources(study, begun)})


def keep_going_to_fetch():
    """Let `prefetch` fetch what it can: one file that cannot be had says nothing of the others."""
    targets, _ = names_of_command()
    if workflow.is_main_process and targets == ["prefetch"]:
        workflow.scheduler.keepgoing = True  # as `--keep-going`


def say_what_was_not_fetched():
    """The end of a run that did not reach files: all of them, and what to put where."""
    if not workflow.is_main_process:
        return
    used = sorted({run.dataset for run in TRAINED_FROM})
    lines = unreachable.lines(study, used, weights_used(), Path("results"), STARTED)
    if lines:
        # After the lines with which Snakemake itself ends.
        atexit.register(print, "\n".join(["", *lines]), file=sys.stderr)


def say_where_to_look():
    """The last line of `snakemake apply`, also where the cells were found by a job on a cluster."""
    targets, _ = names_of_command()
    applied = [target for target in targets if target.startswith(f"{APPLIED}/")]
    if workflow.is_main_process and ("apply" in targets or applied):
        # After the lines with which Snakemake itself ends.
        atexit.register(print, f"Open {APPLIED}/overview.html", flush=True)


def planned_jobs():
    """The jobs that the call will run, by their number."""
    return {
        workflow.dag.jobid(job): live_job.Job(
            job.rule.name,
            job.wildcards_dict,
            tuple(map(str, job.output)),
            tuple(map(str, job.log)),
            job.benchmark and str(job.benchmark),
        )
        for job in workflow.dag.needrun_jobs()
    }


def seconds_measured(job):
    """Mean seconds that jobs like one took in earlier calls; None where none was measured."""
    of_job = workflow.get_rule(job.rule)
    if not of_job.benchmark:
        return None
    benchmark = str(strip_wildcard_constraints(of_job.benchmark))
    rows = needs.measured(alike(benchmark, job.wildcards, ("heads", "seed")))
    return sum(row["s"] for row in rows) / len(rows) if rows else None


def show_steps():
    """Show a line for each finished job in place of Snakemake's words, where the jobs run here.

    Snakemake's words are shown in a dry run, on a cluster, with --quiet, --verbose,
    --printshellcmds and --logger. `make plan` has the jobs of its dry run written to a file.
    """
    os.environ.pop(job_output.VARIABLE, None)
    shown = workflow.output_settings
    asked = shown.quiet or shown.verbose or shown.debug_dag or shown.printshellcmds
    here = workflow.is_main_process and workflow.resource_settings.nodes is None
    if shown.dryrun and (path := os.environ.pop(dry_run.VARIABLE, "")):
        logger.addHandler(dry_run.Writer(path, NOTHING_TO_BE_DONE_MSG))
    default = [one for one in logger.handlers if one.name == "DefaultStreamHandler"]
    if asked or shown.dryrun or not here or len(default) != 1:
        return
    os.environ[job_output.VARIABLE] = job_output.TO_LOG
    logger.removeHandler(default[0])
    logger.addHandler(
        live_handler.Handler(
            default[0],
            planned_jobs,
            seconds_measured,
            lambda: next(
                iter(map(os.path.relpath, workflow.logger_manager.get_logfile())), None
            ),
            shown.show_failed_logs,
        )
    )


def check_command():
    """Once all rules are read: refuse what cannot be made, and begin a plan with its space."""
    if not workflow.is_main_process:
        return
    targets, others = names_of_command()
    files = list(makeable())
    trials = set(study["models"]) - set(config_models)
    try:
        target_names.check(
            [*targets, *others], "results", files, KNOWN, datasets_on(), trials
        )
        for name in needed_datasets(targets, files):
            entry = study["datasets"][name]
            kinds.of(entry).refuse_missing(name, entry, Path(DATA.format(dataset=name)))
            annotation_files_of(name)  # refuses some names
        if not targets or {"all", "figures", "tables", "overlays"} & set(targets):
            labels = f"{RUN}/{run_files.LABELS}"
            missing = [
                one
                for one in RUNS
                if one.is_external and not Path(labels.format(**vars(one))).exists()
            ]
            outside.refuse_missing(study, missing)
            for line in starts.warnings(study, RUNS):
                print(line, file=sys.stderr)
    except UserError as error:
        raise WorkflowError(printable(error)) from None
    if workflow.output_settings.dryrun and not workflow.output_settings.quiet:
        from cellseg.space import (
            plan as space,
        )  # with NumPy, which no job has to wait for

        # The plan goes to stdout, where it is read by programs too.
        lines = space.lines(
            space.plan(study, "results"), workflow.resource_settings.nodes
        )
        print("\n".join(lines), file=sys.stderr)
