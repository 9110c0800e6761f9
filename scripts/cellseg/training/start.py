"""What a training starts from: the weights of another run, and what is known of that run."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cellseg.data.kinds import SOURCES
from cellseg.errors import UserError
from cellseg.io import exports, fold_networks, made_files, run_files, run_format

KEY = "start_from"
"""Of a model's settings; models without it have no such key, so that they do not train again."""
RUN = ("dataset", "model", "heads", "subset", "seed")
"""Keys of an entry that name a run; the others are those of the run that starts."""
FILES = ("file", "pretrained")
"""Keys that name weights which no run of the study made; one of them or a run is named."""
_PATH = "{dataset}/{model}/{heads}/{subset}/seed-{seed}"
OF_PSEUDO = "pseudo_labels"
"""Key of the provenance of runs with :mod:`cellseg.training.pseudo_labels`."""
_COMPARED = {"model": "family", "tiling": "mode", "training": "normalization"}
"""Parts of the settings of a run, and what each must say."""
CHAIN = "started_from"
"""Key of a run's provenance: what it started from, then what that started from, and so on."""


@dataclass(frozen=True)
class Start:
    """Weights to start from; see `start_from` in the schema of the configuration.

    Attributes
    ----------
    path : weights in the format of the family that wrote them
    take : ``all``, ``backbone`` or ``all-but-heads``
    freeze : None, ``backbone`` or patterns of names of layers, as :mod:`fnmatch` reads them
    rate : factor of the learning rate of what is taken
    name : of the run or file, for messages
    chain : for the provenance: what is known of this start, then of the ones before it
    """

    path: Path
    take: str
    freeze: str | Sequence[str] | None
    rate: float
    name: str
    chain: Sequence[Mapping]


def source(entry: Mapping, own: Mapping) -> dict | None:
    """The run that an entry names, with keys left out filled in from `own`; None for others."""
    if any(key in entry for key in FILES):
        return None
    return {axis: entry.get(axis, own[axis]) for axis in RUN}


def in_words(entry: Mapping, own: Mapping) -> str:
    """The run, file or pretrained weights that an entry names, as messages call it."""
    run = source(entry, own)
    return next(iter(_of_no_run(entry).values())) if run is None else _PATH.format(**run)


def _of_no_run(entry: Mapping) -> dict:
    """The key that names weights of no run, with its value."""
    return {key: entry[key] for key in FILES if key in entry}


def doubts(own: Mapping, other: Mapping, pixel_sizes: Sequence[float | None]) -> list[str]:
    """How the images that two networks see differ, where the weights do not show it.

    Parameters
    ----------
    own, other : settings of the run that starts and of the one it starts from
    pixel_sizes : of their data sets, micrometres or None, in this order
    """
    found = []
    ours, theirs = (one["training"]["normalization"] for one in (own, other))
    if ours != theirs:
        found.append(f"it was trained with normalization {theirs}, and this one with {ours}")
    ours, theirs = (_fed(one["model"]) for one in (own, other))
    if ours != theirs:
        found.append(f"its backbone was fed {theirs}, and this one {ours}")
    ours, theirs = (one["tiling"]["mode"] == "resize" for one in (own, other))
    if ours != theirs:
        found.append("only one of the two was trained on resized images (tiling mode resize)")
    ours, theirs = pixel_sizes
    if None not in (ours, theirs) and abs(ours - theirs) > 1e-3 * max(ours, theirs):
        found.append(f"its pixels are of {theirs:g} µm, and those here of {ours:g} µm")
    return found


def of_link(link: Mapping) -> str:
    """A start of a chain in a few words, in Markdown."""
    run = f"`{_PATH.format(**link)}`" if "model" in link else ""
    if "pretrained" in link:
        return f"the pretrained weights `{link['pretrained']}`"
    file = f"the file `{Path(link['file']).name}`" if "file" in link else ""
    return f"{file} (run {run})" if run and file else file or f"the run {run}"


def taken(link: Mapping) -> str:
    """What is taken of a start, what is frozen and how fast the rest is trained, in a few words."""
    kept = link["freeze"] if isinstance(link["freeze"], str) else ", ".join(link["freeze"] or [])
    return "; ".join(
        [
            {"all": "all layers", "all-but-heads": "all layers but the heads"}.get(
                link["take"], link["take"]
            ),
            *([f"frozen: {kept}"] if kept else []),
            *([f"learning rate times {link['rate']:g}"] if link["rate"] != 1 else []),
        ]
    )


def licence(link: Mapping) -> str:
    """Terms of the images of a start."""
    if link["kind"] not in SOURCES:
        return "not known; ask whoever made the file, and state the terms before you give it away."
    return SOURCES[link["kind"]].licence


def _fed(model: Mapping) -> str:
    """What a pretrained backbone sees."""
    if model.get("weights") is None or model.get("preprocessing", "as-published") == "as-published":
        return "a mixture of channels"
    return "grey images as ImageNet's"


@contextmanager
def opened(
    settings: Mapping, files: Sequence[str], run: Mapping, datasets: Mapping
) -> Iterator[Start | None]:
    """Yield what a run starts from; None if its model starts from nothing.

    Parameters
    ----------
    settings : of the run, from :func:`cellseg.study.runs.run_settings`
    files : weights, settings and provenance of a run, or one file: an export or weights
    run : dataset, model, heads, subset and seed of the run that starts
    datasets : entries of the configuration, for kind and size of a pixel

    Raises
    ------
    UserError
        The file holds no weights to start from, or those of other heads are asked for.
    """
    entry = settings["model"].get(KEY)
    if entry is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="start-") as folder:
        with exports.named(files[0], folder):
            about, chain, weights = _read(entry, files, run, datasets, Path(folder))
        name = in_words(entry, run)
        theirs = about.pop("settings", None)
        if theirs is not None:
            _check_heads(name, entry["take"], settings["heads"], theirs["heads"])
            sizes = datasets[run["dataset"]].get("pixel_size"), about["pixel_size"]
            about["differences"] = doubts(settings, theirs, sizes)
            for doubt in about["differences"]:
                print(f"Warning: {KEY}: {name}: {doubt}.", flush=True)
            about |= {
                "family": theirs["model"]["family"],
                "imagenet": theirs["model"].get("weights"),
            }
        about |= {key: entry[key] for key in ("take", "freeze", "rate")}
        how = entry["take"], entry["freeze"], entry["rate"]
        with exports.named(files[0], folder):  # the weights are read by the one who trains
            yield Start(weights, *how, name, [about, *chain])


def _read(
    entry: Mapping, files: Sequence[str], run: Mapping, datasets: Mapping, folder: Path
) -> tuple[dict, list, Path]:
    """What is known of a start, the chain before it, and its weights."""
    named = source(entry, run)
    if named is not None:
        weights, settings, provenance = files
        record = made_files.read_json(provenance, "train_images", "val_images")
        dataset = datasets[named["dataset"]]
        about = {
            **named,
            **({OF_PSEUDO: record[OF_PSEUDO]} if OF_PSEUDO in record else {}),
            "seed": int(named["seed"]),  # as a wildcard it is text
            "kind": dataset["kind"],
            "pixel_size": dataset.get("pixel_size"),
            "settings": _settings(settings),
        }
    else:
        path = Path(files[0])
        if not exports.is_export(path):
            return {**_of_no_run(entry), "kind": None}, [], path
        if inner := exports.members_in(path):
            raise UserError(of_fused(KEY, entry["file"], inner))
        of_network = exports.weights_in(path)[0]
        names = (of_network, run_files.SETTINGS, run_files.PROVENANCE, run_files.ORIGIN)
        otherwise = f", or start from its {run_files.WEIGHTS}"
        exports.unpack(path, {name: name for name in names}, folder, otherwise)
        weights = folder / of_network
        record = made_files.read_json(folder / run_files.PROVENANCE, "train_images")
        of_origin = (*RUN, "kind", "pixel_size")
        origin = made_files.read_json(folder / run_files.ORIGIN, *of_origin)
        if not isinstance(origin["pixel_size"], (int, float, type(None))):
            wrong = ValueError(f"its pixel_size is {origin['pixel_size']!r}")
            raise made_files.damaged(folder / run_files.ORIGIN, wrong)
        about = {
            **{axis: origin[axis] for axis in of_origin},
            **({OF_PSEUDO: record[OF_PSEUDO]} if OF_PSEUDO in record else {}),
            "file": entry["file"],
            "settings": _settings(folder / run_files.SETTINGS),
        }
        if fold_networks.names(about["settings"]):
            raise UserError(of_folds(KEY, entry["file"]))
    about["train_images"] = len(record["train_images"])
    return about, list(record.get(CHAIN, [])), Path(weights)


def _settings(path: str | Path) -> dict:
    """Settings of a run, refused if they lack what is compared here."""
    settings = run_format.read(path, "heads", *_COMPARED)
    for key, within in _COMPARED.items():
        if not isinstance(settings[key], dict) or within not in settings[key]:
            raise made_files.damaged(path, ValueError(f"its '{key}' lacks '{within}'"))
    return settings


def _check_heads(name: str, take: str, own: Mapping, theirs: Mapping) -> None:
    """Refuse to take all of a network of other heads: their layers may fit all the same."""
    if take == "all" and list(own) != list(theirs):
        raise UserError(other_heads(KEY, name, list(theirs), list(own)))


def of_fused(where: str, name: str, members: Sequence[str]) -> str:
    """The message for an export of a run that is fused of others."""
    return (
        f"{where}: {name} is of a run that is fused of others, and holds several networks. Unpack "
        f"it, and name the weights of one, such as {members[0]}."
    )


def of_folds(where: str, name: str) -> str:
    """The message for an export of a run of all folds."""
    return (
        f"{where}: {name} is of a run of all folds, and holds several networks. Start from the run "
        "or the export of one fold."
    )


def other_heads(where: str, name: str, theirs: Sequence[str], own: Sequence[str]) -> str:
    """The message for heads that differ where all weights are to be taken."""
    return (
        f"{where}: `take: all` takes the heads too, and those of {name} are {'+'.join(theirs)}, "
        f"not {'+'.join(own)}. Set `take: all-but-heads`, or start from a run with these heads."
    )
