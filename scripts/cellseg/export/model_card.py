"""The page that says what an exported network is: README.md of an export."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tabulate import tabulate

from cellseg import models
from cellseg.export import terms
from cellseg.io import exports, fold_networks, run_files
from cellseg.io.wording import number_of
from cellseg.segmentation import by_cell_type
from cellseg.tables import glossary
from cellseg.training import length, pseudo_labels, start
from cellseg.training.start import CHAIN

SCORES = glossary.named("msa", "sa50", "f1_50", "precision_50", "recall_50", "f1_75", "pixel_iou")
"""Columns of metrics.csv."""

COCO_SCORES = glossary.named("ap", "ap50", "afnr")
"""Columns of coco.csv."""


class Network(NamedTuple):
    """A trained network that an export holds: what its run recorded, and its weights."""

    settings: Mapping
    provenance: Mapping
    weights: Path

    @property
    def name(self) -> str:
        """Model, heads, subset and seed of its run, as its folder says."""
        return "/".join(self.weights.parent.parts[-4:])

    @property
    def folds(self) -> int:
        """How many networks the run has, one of each fold; 0 for other runs."""
        return len(fold_networks.names(self.settings))

    @property
    def chain(self) -> Sequence[Mapping]:
        """What it started from."""
        return self.provenance.get(CHAIN, [])


def trained_on(provenance: Mapping, images: pd.DataFrame) -> pd.DataFrame:
    """Images and annotated cells by cell type.

    Parameters
    ----------
    provenance : of the run, with train_images and val_images
    images : table of all images, see :mod:`cellseg.data.annotation_tables`

    Returns
    -------
    DataFrame
        Columns cell_type, images, cells (trained on), validation_images.
    """
    rows = []
    for cell_type, group in images.groupby("cell_type"):
        trained = group[group["image"].isin(provenance["train_images"])]
        validated = group["image"].isin(provenance["val_images"]).sum()
        if len(trained) or validated:
            rows.append((cell_type, len(trained), int(trained["n_cells"].sum()), int(validated)))
    return pd.DataFrame(rows, columns=["cell_type", "images", "cells", "validation_images"])


def text(
    condition: Mapping,
    kind: str,
    settings: Mapping,
    networks: Sequence[Network],
    segmentation: Mapping,
    otherwise: str,
    data: pd.DataFrame,
    metrics: pd.DataFrame,
    coco: pd.DataFrame,
    use: str,
    install: str,
) -> str:
    """The card, in Markdown.

    Parameters
    ----------
    condition : dataset, model, heads, subset and seed of the run
    kind : of its data set, a key of :data:`cellseg.data.kinds.SOURCES`
    settings, segmentation : what the run recorded
    networks : that of the run, or those of the runs that it is fused of
    otherwise : of :func:`otherwise`, or nothing if the export predicts as the scores had it
    data : of :func:`trained_on`
    metrics, coco : tables of its scores
    use : paragraph that says what the example does
    install : command that installs what it needs
    """
    first, fused = networks[0], len(networks) > 1
    several = len(networks) if fused else first.folds
    finds = f"{several} networks that together find" if several else "A network that finds"
    families = dict.fromkeys(one.settings["model"]["family"] for one in networks)
    sections = [
        f"# {condition['model']}, {condition['heads']}",
        f"{finds} single cells in phase-contrast images, exported from livecell-bench. "
        f"Run: data set `{condition['dataset']}`, model `{condition['model']}`, heads "
        f"`{condition['heads']}`, subset `{condition['subset']}`, seed {condition['seed']}.",
        "## Use",
        f"    {install}\n    python example.py IMAGE.tif",
        use,
        "## What it is",
        *(_members(networks, settings["model"]) if fused else []),
        f"{'' if fused else _what(first)}All settings: `{run_files.SETTINGS}`, "
        f"`{run_files.PROVENANCE}`{f', also in `{exports.MEMBERS}/`' if fused else ''}; "
        f"thresholds: `{run_files.SEGMENTATION}`."
        f"{tuned(segmentation)} How the images of the scores below were "
        f"predicted: `{run_files.SEGMENTATION}`.{otherwise}",
        "## What it was trained on",
        _table(
            ["cell type", "images", "annotated cells in them", "validation images"],
            [
                *((_plain(name), *counts) for name, *counts in data.itertuples(index=False)),
                ("all", *data.iloc[:, 1:].sum()),
            ],
        ),
        *(["Each image that a network was trained on, and the validation images that all networks "
           "have in common."] if fused else []),
        *(["Each image validated one of the networks, and the others were trained on it."]
          if first.folds and not fused else []),
        *_synthetic(first.provenance),
        *_pseudo(first.provenance),
        *_chains(networks),
        "## Validation: scores on images it has not seen",
        *_scores(metrics, coco, segmentation["segmentation"]["method"]),
        "## Intended use, and limits",
        "Counting and outlining cells in phase-contrast images like those it was trained on: same "
        "contrast, magnification and kinds of cells. Images of other microscopes, magnifications "
        "or cell types have not been tested; look at the outlines before you use the numbers. Each "
        "pixel belongs to one cell, so that cells on top of each other are not separated. Not for "
        "diagnosis.",
        "## Licences",
        *dict.fromkeys(line for one in networks
                       for line in terms.licences(kind, one.settings["model"], one.chain,
                                                  one.provenance.get(pseudo_labels.KEY))),
        "- livecell-bench itself, with `example.py`: MIT.",
        "Please cite:",
        "\n".join(f"- {name}, doi:{doi}" for name, doi in
                  terms.cited(*families, *([settings["model"]["family"]] if fused else []))),
    ]  # fmt: skip
    return "\n\n".join(sections) + "\n"


def _what(network: Network) -> str:
    """What a network is and how it was trained, in two sentences."""
    provenance = network.provenance
    what = f"{models.description(network.settings['model'])}, {provenance['parameters']:,} weights"
    if network.folds:
        what = (
            f"{network.folds} networks, each trained without the images of one fold: {what} of all "
            "together. Their maps are averaged, their detections fused. They"
        )
    return (
        f"{what}{' ' if network.folds else ', '}"
        f"started from {_begun(network)}; {_training(network)}. "
        f"Trained on {provenance['finished'][:10]} with {_versions(provenance['versions'])}. "
    )


def _begun(network: Network) -> str:
    if network.chain:
        return f"{start.of_link(network.chain[0])} ({start.taken(network.chain[0])})"
    pretrained = network.settings["model"].get("weights")
    return f"pretrained weights `{pretrained}`" if pretrained else "random weights"


def _training(network: Network) -> str:
    trained = length.in_words(network.settings["training"])
    return f"{trained} on tiles of {network.settings['tiling']['size']} pixels"


def _members(networks: Sequence[Network], model: Mapping) -> Iterator[str]:
    """What the run is fused of; `model` is of its settings."""
    yield (
        f"The detections of {len(networks)} networks, fused. Boxes and masks of the same cell (IoU "
        f"of {model['iou']:g} or more) are averaged, by score and weight. A score is the weighted "
        "mean over all networks."
    )
    rows = [
        (
            f"`{exports.MEMBERS}/{number}`: {one.name}",
            f"{entry['weight']:g}",
            f"{models.description(one.settings['model'])}, "
            f"{one.provenance['parameters']:,} weights",
            _begun(one),
            f"{_training(one)}; {number_of(len(one.provenance['train_images']), 'image')}",
            f"{one.provenance['finished'][:10]}, {_versions(one.provenance['versions'])}",
        )
        for number, (one, entry) in enumerate(zip(networks, model["members"], strict=True), start=1)
    ]
    yield _table(["run", "counts", "network", "started from", "training", "trained"], rows)


def _chains(networks: Sequence[Network]) -> Iterator[str]:
    for network in networks:
        if network.chain and len(networks) > 1:
            yield f"`{network.name}`:"
        yield from _chain(network.chain)


def use_of_maps(window: int, normalization: str, example_note: str) -> str:
    """Paragraph that says what the example of a SavedModel does.

    Parameters
    ----------
    window : side of the windows that the network sees, pixels
    normalization : of these windows
    example_note : how the cells of the example differ from those of the run
    """
    return (
        "`example.py` needs nothing of livecell-bench. `maps` of the SavedModel in `model.zip` "
        "takes a grey image of any size, values from 0 to 255, as float32 (height, width), and "
        f"gives a map for each head; it cuts windows of {window} pixels, normalises each "
        f"(`{normalization}`), predicts and blends them. Its signature `serving_default` takes "
        f"such windows, (N, {window}, {window}, 1), and gives all maps in one. {example_note}"
    )


def _synthetic(provenance: Mapping) -> list[str]:
    n_images = provenance.get("synthetic_images", 0)
    return [f"And {n_images:,} synthetic images made of these images."] if n_images else []


def _pseudo(provenance: Mapping) -> list[str]:
    about = provenance.get(pseudo_labels.KEY)
    return [pseudo_labels.in_words(about)] if about else []


def _chain(chain: Sequence[Mapping]) -> list[str]:
    """What it started from, then what that started from, and so on."""
    if not chain:
        return []
    rows = [
        (start.of_link(one), _images(one), start.taken(one), "; ".join(one.get("differences", [])))
        for one in chain
    ]
    return [
        "It started from a trained network, which was itself trained on other images; the first "
        "line is the last one before this training.",
        _table(["started from", "its training images", "taken", "differences"], rows),
    ]


def _images(link: Mapping) -> str:
    return f"{link['train_images']:,}" if "train_images" in link else "not known"


def tuned(segmentation: Mapping) -> str:
    """How the thresholds were chosen, and which of them an export uses."""
    if not segmentation["tuning"]:
        return ""
    said = f" They were tuned on validation images (`{segmentation['tuning']}`)."
    if by_cell_type.KEY not in segmentation:
        return said
    own = ", ".join(_plain(name) for name in sorted(segmentation[by_cell_type.KEY]))
    return (
        f"{said} The search chose by cell type. In the scores below, images of "
        f"{own or 'no cell type'} have the thresholds of their type, other images those of all "
        "types. `example.py` uses those of all types for every image, so its cells differ."
    )


def otherwise(prediction: Mapping) -> str:
    """What the scored maps were made with and those of the SavedModel are not."""
    views = prediction["test_time_augmentation"]
    used = {
        "whole images at once": prediction["window"] == "image",
        "mirrored windows": views["flips"],
        "turned windows": views["rotations"],
        "other magnifications": views["scales"] != [1],
    }
    named = ", ".join(name for name, is_used in used.items() if is_used)
    return f" That was with {named}, which `maps` does without: its cells differ." if named else ""


def _scores(metrics: pd.DataFrame, coco: pd.DataFrame, method: str) -> list[str]:
    """Tables of the scores with small objects kept, over all images and by cell type."""
    kept = metrics[metrics["small_objects"] == "kept"]
    pooled = coco[(coco["small_objects"] == "kept") & (coco["cell_type"] == "all")].iloc[0]
    means = [*(kept[score.name].mean() for score in SCORES),
             *(pooled[score.name] for score in COCO_SCORES)]  # fmt: skip
    shown = [*SCORES, *COCO_SCORES]
    rows = [
        (_column(score), _number(value, score), score.meaning)
        for score, value in zip(shown, means, strict=True)
    ]
    types = [
        (
            _plain(name),
            len(group),
            int(group["n_true"].sum()),
            *(_number(group[score.name].mean(), score) for score in SCORES),
        )
        for name, group in kept.groupby("cell_type")
    ]
    return [
        f"On the {len(kept)} images of the {kept['data_split'].iloc[0]} split "
        f"({kept['n_true'].sum():,} annotated cells, {kept['n_pred'].sum():,} found), which it was "
        "not trained on; no object removed for its size.",
        _table(["score", "value", "what"], rows),
        glossary.remarks(shown, _column, {method: ()}),
        _table(["cell type", "images", "cells", *map(_column, SCORES)], types),
        f"Every image: `{exports.SCORES}`.",
    ]


def _plain(name: object) -> str:
    """A cell type, which may be called like a folder of the user, with nothing taken for markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|!&])", r"\\\1", " ".join(str(name).split()))


def _column(score: glossary.Score) -> str:
    return f"`{score.name}`"


def _number(value: float, score: glossary.Score) -> str:
    return f"{value:.{score.decimals}f}"


def _table(head: list[str], rows: list[tuple]) -> str:
    return tabulate(rows, head, tablefmt="github", disable_numparse=True)


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
