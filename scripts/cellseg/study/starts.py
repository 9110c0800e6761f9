"""Models that start from another run: which one, and what is refused before anything is trained."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cellseg import models, starter
from cellseg.errors import UserError
from cellseg.io import exports, fold_networks, run_files, run_format
from cellseg.models.detectors import presets
from cellseg.study import (
    folds,
    fusions,
    head_checks,
    leaks,
    outside,
    pseudo_label_checks,
    pseudo_labels,
    spelling,
)
from cellseg.study import runs as studies
from cellseg.study.fusion_names import is_fused
from cellseg.study.runs import Run
from cellseg.targets import head_names
from cellseg.training.start import FILES, KEY, RUN, doubts, of_folds, of_fused, other_heads, source

FITTING = ({"deepcell", "panopticnet"},)
"""Families whose weights fit each other, but for those that are the same."""
SHAPES = ("backbone", "width", "attention_heads", "size")
"""Settings that change the shapes of every part of a network that maps; presets do of detectors."""
SHAPES_OF_ALL = ("architecture", "depth", "backbone_levels")
"""Those that change its layers, some of which still fit."""
RESULTS = "results"


def entry_of(study: Mapping, model: str) -> Mapping | None:
    """What a model starts from, or None."""
    return study["models"][model].get(KEY)


def file_of(study: Mapping, run: Run) -> str | None:
    """The file that a run starts from, or None; of a run of the study as its rule calls it.

    Raises
    ------
    UserError
        It is the starter network, which this copy of the library lacks.
    """
    entry = entry_of(study, run.model)
    file = None if entry is None else entry.get("file")
    if file is None:
        return None
    if maker_of(study, run) is not None:
        return os.path.relpath(file)
    return str(starter.resolved(file))


def maker_of(study: Mapping, run: Run) -> Run | None:
    """The run of the study whose file another starts from, or None."""
    entry = None if run.is_joined else entry_of(study, run.model)
    file = "" if entry is None else entry.get("file", "")
    made = studies.run_of_file(file, RESULTS) if file else None
    if made is None or Path(file).name not in (run_files.WEIGHTS, run_files.EXPORTED):
        return None
    known = all(getattr(made, axis) in study[f"{axis}s"] for axis in ("dataset", "model", "subset"))
    return made if known else None


def pretrained_of(study: Mapping, run: Run) -> str | None:
    """Name of the pretrained weights that a run starts from, or None."""
    entry = None if run.is_joined else entry_of(study, run.model)
    return None if entry is None else entry.get("pretrained")


def source_of(study: Mapping, run: Run) -> Run | None:
    """The run that a run starts from, or None."""
    entry = None if run.is_joined else entry_of(study, run.model)
    found = None if entry is None else source(entry, vars(run))
    return None if found is None else Run(**found)


def with_sources(study: Mapping, runs: Iterable[Run]) -> list[Run]:
    """Runs with those that they start from, learn from, are put together or fused of, and so on,
    each once, sorted."""
    found: set[Run] = set()
    waiting = list(runs)
    while waiting:
        run = waiting.pop()
        if run not in found:
            found.add(run)
            waiting += _before(study, run)
    return sorted(found)


def _begun(study: Mapping, run: Run) -> Run | None:
    """The run that a run starts from, by its axes or by its file."""
    return source_of(study, run) or maker_of(study, run)


def _before(study: Mapping, run: Run) -> list[Run]:
    """Runs that must be trained before a run."""
    needed = [_begun(study, run), pseudo_labels.teacher(study, run)]
    fused = [member.run for member in fusions.members_of(study, run)]
    return [*filter(None, needed), *folds.members(study, run), *fused]


def check(study: Mapping) -> None:
    """Refuse circles of runs that start or learn from each other, and heads that do not fit.

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    for name in study["models"]:
        _check_circle(name, study)
    runs = [run for one in study["experiments"] for run in studies.runs_of(study, one)]
    for entry in study["hyperparameter_searches"].values():
        if any(entry[axis] not in study[f"{axis}s"] for axis in ("model", "subset")):
            continue  # refused with the other names of a search
        dataset = entry.get("dataset", study["dataset"])
        axes = (entry[axis] for axis in studies.AXES[:-1])
        runs.append(Run(dataset, *axes, studies.as_list(entry["seed"])[0]))
    _check_all(study, runs)


def check_entry(where: str, model: Mapping, study: Mapping) -> None:
    """Refuse an entry that names no start, two of them, or one that does not exist.

    Parameters
    ----------
    where : key of the entry, for the error
    model : entry of ``models`` that has it

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    entry = model[KEY]
    named = [key for key in (*FILES, *RUN) if key in entry]
    if len(named) > 1 and named[0] in FILES:
        others = ", ".join(f"`{key}`" for key in named[1:])
        raise UserError(
            f"{where}: `{named[0]}` and {others} name two starts. Keep `{named[0]}` alone, or "
            "leave it out."
        )
    if "file" in entry:
        _check_file(f"{where}.file", entry["file"], model)
        return
    if "pretrained" in entry:
        _check_pretrained(f"{where}.pretrained", entry["pretrained"], study)
        return
    if "model" not in entry:
        raise UserError(
            f"{where}: name the `model` of the run to start from, the `file` of an export or of "
            "weights, or weights of `pretrained`."
        )
    for axis in ("dataset", "model"):
        if axis in entry:
            spelling.check(f"{where}.{axis}", entry[axis], study[f"{axis}s"])
    if "subset" in entry:
        folds.check_name(f"{where}.subset", entry["subset"], study)
    other = study["models"][entry["model"]]
    outside.check_network(f"{where}.model", entry["model"], other)
    if other.get("ensemble"):
        raise UserError(
            f"{where}.model: '{entry['model']}' is an ensemble, which holds several networks. "
            "Start from a model without `ensemble`; each network of an ensemble may do so."
        )
    if entry.get("subset", "").endswith(studies.ALL_FOLDS):
        raise UserError(
            f"{where}.subset: '{entry['subset']}' holds the networks of all folds. Start from one "
            "fold."
        )
    if "heads" in entry:
        try:
            head_names.split(entry["heads"])
        except UserError as error:
            raise UserError(f"{where}.{error}") from None


def _check_file(where: str, file: str, model: Mapping) -> None:
    """Refuse a file that holds no network of a model's family, as far as its name says."""
    family = model["family"]
    if file == starter.NAME:
        if family != starter.FAMILY:
            raise UserError(
                f"{where}: the {starter.NAME} network is of family {starter.FAMILY}, whose weights "
                f"do not fit one of family {family}. Start from a model of that family."
            )
        return
    if "://" in file:
        raise UserError(
            f"{where}: {file} is an address. Name it in `pretrained` of the config and that name "
            "in `start_from`; fetch an export yourself."
        )
    spelling.check_path(where, file)
    if exports.is_export(file):
        return
    known = models.start_files(model)
    if known is not None and Path(file).suffix.lower() not in known:
        possible = [
            f"an export ({exports.SUFFIX})",
            f"weights of family {family} ({', '.join(known)})",
            *([f"`{starter.NAME}`"] if family == starter.FAMILY else []),
        ]
        raise UserError(f"{where}: {file} is not {' or '.join(possible)}. Name one.")


def _check_pretrained(where: str, name: str, study: Mapping) -> None:
    """Refuse a name that is not in `pretrained`, or whose address is that of an export."""
    spelling.check(where, name, study["pretrained"])
    address = study["pretrained"][name]["url"]
    if exports.is_export(address):
        raise UserError(
            f"{where}: {address} is an export, and only weights are fetched. Fetch it yourself "
            "and name it by `file`."
        )


def _check_circle(name: str, study: Mapping) -> None:
    """Refuse models that start from each other, or from themselves."""
    path = [name]
    while (entry := entry_of(study, path[-1])) is not None and "model" in entry:
        path.append(entry["model"])
        if path[-1] in path[:-1]:
            circle = path[path.index(path[-1]) :]
            raise UserError(
                f"models.{circle[0]}.{KEY}: {' starts from '.join(circle)}: a circle, in which no "
                "run can be the first. Let one of them start from nothing."
            )


def check_needed(study: Mapping, run: Run) -> None:
    """Refuse what a run starts and learns from, also of a run that no experiment names.

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    _check_all(study, [run])


def _check_all(study: Mapping, runs: Iterable[Run]) -> None:
    """Refuse what runs, and those before them, start and learn from."""
    _check_rounds(study, runs)
    for run in with_sources(study, runs):
        _check_run(study, run)
        pseudo_label_checks.check_run(study, run)
        _check_leaks(study, run)


def _check_rounds(study: Mapping, runs: Iterable[Run]) -> None:
    """Refuse runs that learn from themselves, by way of others or not."""
    done: set[Run] = set()

    def follow(path: list[Run]) -> None:
        for run in _before(study, path[-1]):
            if run in path:
                circle = [*path[path.index(run) :], run]
                key, remedy = _to_change(study, circle)
                raise UserError(
                    f"{key}: {' needs '.join(one.folder for one in circle)}: a circle, in which no "
                    f"run can be the first. {remedy}"
                )
            if run not in done:
                follow([*path, run])
        done.add(path[-1])

    for run in runs:
        follow([run])


def _to_change(study: Mapping, circle: list[Run]) -> tuple[str, str]:
    """The key to change in a circle of runs, and how: pseudo-labels, else a start from a file."""
    for run in circle:
        if pseudo_labels.teacher(study, run):
            return f"subsets.{run.subset}.{pseudo_labels.KEY}", (
                "Name a run that does not learn from these cells, such as one of a subset without "
                "pseudo-labels."
            )
    started = next(run for run in circle if maker_of(study, run))
    return f"models.{started.model}.{KEY}.file", "Start from a file of another run."


def _check_run(study: Mapping, run: Run) -> None:
    """Refuse a run to start from whose network or heads do not fit."""
    begun = _begun(study, run)
    if begun is None:
        return
    entry, where = entry_of(study, run.model), f"models.{run.model}.{KEY}"
    if "file" in entry and not _has_one_network(study, begun):
        raise UserError(
            f"{where}.file: {begun.folder} has no network, or several. Start from a run that "
            "trains one."
        )
    key, network = "file" if "file" in entry else "model", study["models"][begun.model]
    _check_networks(f"{where}.{key}", study, run.model, begun.model, network, entry["take"])
    if begun.is_external:
        raise UserError(f"{where}.heads: '{begun.heads}' has no network. Name heads of a network.")
    theirs, own = head_names.split(begun.heads), head_names.split(run.heads)
    head_checks.check(f"{where}.heads", study, begun.model, theirs)
    if entry["take"] == "all" and theirs != own:
        raise UserError(other_heads(where, begun.folder, theirs, own))


def _has_one_network(study: Mapping, run: Run) -> bool:
    return studies.is_trained(study, run) and not study["models"][run.model].get("ensemble")


def _check_leaks(study: Mapping, run: Run) -> None:
    """Refuse to start or learn from runs that were trained on images that a run is scored on."""
    ways = {
        f"models.{run.model}.{KEY}": _begun(study, run),
        f"subsets.{run.subset}.{pseudo_labels.KEY}": pseudo_labels.teacher(study, run),
    }
    for where, first in ways.items():
        for other in with_sources(study, [first]) if first else ():
            known = other.dataset == run.dataset and studies.is_trained(study, other)
            if known and leaks.knows_scored(study, run, other):
                raise UserError(
                    f"{where}: {other.folder} was trained on images that {run.folder} is scored "
                    f"on. Leave `subset` out, so that both have the same, or name one that holds "
                    "out the same images."
                )


def _check_networks(
    where: str, study: Mapping, own: str, other: str, theirs: Mapping, take: str
) -> None:
    """Refuse a network to start from that has none of the layers that are taken.

    Parameters
    ----------
    own : entry of ``models`` that starts
    other : what messages call the other network
    theirs : settings of its model
    """
    ours = study["models"][own]
    differ = f"{where}: '{other}' is of family {theirs['family']}, "
    detectors = all(head_checks.finds_instances(one) for one in (ours, theirs))
    families = {ours["family"], theirs["family"]}
    if len(families) > 1 and families not in FITTING:
        if not detectors:
            raise UserError(
                f"{differ}whose weights do not fit one of family {ours['family']}. Start from a "
                "model of the same family."
            )
        if take == "all":
            raise UserError(
                f"{differ}whose heads do not fit one of family {ours['family']}. Set `take: "
                "all-but-heads` or `take: backbone`."
            )
    if not detectors:
        shapes = [*SHAPES, *(SHAPES_OF_ALL if take == "all" else ())]
        for key in shapes:
            if key in ours and key in theirs and ours[key] != theirs[key]:
                raise UserError(
                    f"{where}: '{other}' has {key} {_value(theirs[key])}, and '{own}' "
                    f"{_value(ours[key])}, so that its weights do not fit. Set "
                    f"models.{own}.{key}: {_value(theirs[key])}."
                )
        return
    wanted, given = (presets.of_backbone(one) for one in (ours, theirs))
    if wanted["backbone"] != given["backbone"]:
        raise UserError(
            f"{where}: '{other}' has the backbone {given['backbone']}, and '{own}' "
            f"{wanted['backbone']}. Give both a `preset` with the same backbone."
        )
    for key in wanted:
        if wanted[key] != given[key]:
            value = str(given[key]).lower()
            can_be_set = key in presets.OPTIONS[ours["family"]]
            raise UserError(
                f"{where}: the backbone of '{other}' has {key} {value}, and that of '{own}' "
                f"{str(wanted[key]).lower()}. "
                f"{f'Set models.{own}.{key}: {value}.' if can_be_set else 'Choose another model.'}"
            )


def _value(setting: object) -> str:
    """A setting as YAML has it."""
    return f"[{', '.join(setting)}]" if isinstance(setting, list) else str(setting)


def refuse_files(study: Mapping, runs: Iterable[Run]) -> None:
    """Refuse files to start from that do not exist and that no rule makes, and exports that do not
    fit.

    Raises
    ------
    UserError
        Names the key and the file.
    """
    for run in runs:
        file = file_of(study, run)
        if file is None or maker_of(study, run) is not None:
            continue
        where = f"models.{run.model}.{KEY}.file"
        if Path(file).is_file():
            if exports.is_export(file):
                _check_export(where, study, run, file)
        elif Path(file).is_dir():
            raise UserError(f"{where}: {file} is a folder. Name a file in it.")
        elif studies.run_of_file(file, RESULTS) or not _is_result(file):
            raise UserError(
                f"{where}: {file} does not exist. Put the file there, or correct the path "
                "(relative to the checkout)."
            )


def _is_result(file: str) -> bool:
    """Whether a file is in the folder in which rules make files."""
    return Path(RESULTS) in Path(os.path.normpath(file)).parents


def _check_export(where: str, study: Mapping, run: Run, file: str) -> None:
    """Refuse an export that is damaged, or whose network or heads do not fit."""
    settings = exports.settings_in(file)
    try:
        model, heads = dict(settings["model"]), list(settings["heads"])
        family, folds = model["family"], fold_networks.names(settings)
    except (AttributeError, TypeError, LookupError, ValueError):
        raise UserError(
            f"{where}: {file} holds no {run_files.SETTINGS} that can be read: it is no export of "
            "livecell-bench, or a damaged one. Copy it again, or export the run again."
        ) from None
    run_format.check(f"{where}: {run_files.SETTINGS} of {file}", settings)
    if is_fused(model):
        raise UserError(of_fused(where, file, exports.members_in(file)))
    if folds:
        raise UserError(of_folds(where, file))
    if family not in models.FAMILIES:
        raise UserError(f"{where}: {file} is of family {family}, which is not known here.")
    entry = entry_of(study, run.model)
    name, take = entry["file"], entry["take"]
    _check_networks(where, study, run.model, name, model, take)
    own = head_names.split(run.heads)
    if take == "all" and heads != own:
        raise UserError(other_heads(where, name, heads, own))


def warnings(study: Mapping, runs: Iterable[Run]) -> list[str]:
    """How the images of runs and of the runs that they start from differ, a line for each model."""
    lines: dict[str, None] = {}
    for run in with_sources(study, runs):
        begun = source_of(study, run)
        if begun is None:
            continue
        if begun.dataset == run.dataset and leaks.knows_validation(study, run, begun):
            lines[
                f"Warning: models.{run.model}.{KEY}: {begun.folder} was trained on images that "
                f"{run.folder} validates with: weights and thresholds are chosen on images that "
                "it knows."
            ] = None
        settings = [
            studies.run_settings(study, one.model, one.heads, one.subset, one.seed)
            for one in (run, begun)
        ]
        sizes = [study["datasets"][one.dataset].get("pixel_size") for one in (run, begun)]
        for doubt in doubts(*settings, sizes):
            named = f"models.{run.model}.{KEY}: model {begun.model} on {begun.dataset}"
            lines[f"Warning: {named}: {doubt}."] = None
    return list(lines)
