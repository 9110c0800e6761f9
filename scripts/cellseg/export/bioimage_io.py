"""The description of an exported network for the BioImage Model Zoo: rdf.yaml.

Written after version 0.5 of the specification, https://github.com/bioimage-io/spec-bioimage-io.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cellseg.data.kinds import SOURCES
from cellseg.export.terms import cited
from cellseg.io import run_files, run_format
from cellseg.targets import channels

FORMAT = "0.5.4"
RECORDS = (
    *(run_files.SETTINGS, run_files.SEGMENTATION, run_files.PROVENANCE),
    *(run_files.ORIGIN, run_files.WEIGHTS),
)
"""Files of the run that come along; with the weights, another run can start from it."""


def output_name(head: str) -> str:
    """Name of a head's maps in an export: an identifier, such as ``inner_distance``."""
    return head.replace("-", "_")


def describe(
    folder: Path,
    condition: Mapping,
    kind: str,
    family: str,
    segmentation: str,
    window: int,
    heads: Sequence[str],
    tensorflow_version: str,
    timestamp: str,
    chain: Sequence[Mapping] = (),
) -> dict:
    """Description of an export, whose other files lie in `folder` already.

    Parameters
    ----------
    folder : with README.md, model.zip, test_input.npy and test_output.npy
    condition : dataset, model, heads, subset and seed of the run
    kind, family : of its data set and of its model
    segmentation : words for the method that makes cells of its maps
    window : side of the windows, pixels
    heads : of the network, in the order of its output
    timestamp : ISO 8601, when the training ended
    chain : what it started from, of its provenance
    """
    names = [channel for head in heads for channel in channels.NAMES[head]]
    name = f"Cells in phase contrast {condition['model']} {condition['heads']}"
    about = {
        "type": "model",
        "format_version": FORMAT,
        "name": name.replace("+", " and "),
        "description": (
            f"Network of livecell-bench (family {family}), trained on data set "
            f"{condition['dataset']} (subset {condition['subset']}, seed {condition['seed']}): "
            f"maps from which {segmentation} makes cells."
        ),
        "timestamp": timestamp,
        "authors": [{"name": "users of livecell-bench"}],
        "cite": [{"text": text, "doi": doi} for text, doi in cited(family)],
        "documentation": "README.md",
        "tags": ["cells", "phase-contrast", "instance-segmentation", "2d", "tensorflow"],
        "inputs": [_tensor(folder, "windows", window, ["grey"], "test_input.npy")],
        "outputs": [_tensor(folder, "maps", window, names, "test_output.npy")],
        "weights": {
            "tensorflow_saved_model_bundle": {
                **_file(folder, "model.zip"),
                "tensorflow_version": tensorflow_version,
            }
        },
        "attachments": [_file(folder, extra) for extra in ("example.py", *RECORDS)],
        "config": {"livecell-bench": run_format.stamped({})},
    }
    if licence := _licence([kind, *(one["kind"] for one in chain)]):
        families = {family, *(one.get("family") for one in chain)}
        if "deepcell" not in families:
            about["license"] = licence
    return about


def _licence(kinds: Sequence[str | None]) -> str | None:
    """Identifier of the narrowest terms of images of these kinds; None if some are not known."""
    found = [SOURCES[kind].spdx if kind in SOURCES else None for kind in kinds]
    if None in found:
        return None
    return next((one for one in found if "-NC" in one), found[0])


def _tensor(folder: Path, name: str, window: int, names: Sequence[str], test: str) -> dict:
    data = {"type": "float32"}
    if name == "windows":
        data["range"] = [0.0, 255.0]
    return {
        "id": name,
        "description": "grey values" if name == "windows" else "maps of all heads",
        "axes": [
            {"type": "batch"},
            {"type": "space", "id": "y", "size": window},
            {"type": "space", "id": "x", "size": window},
            {"type": "channel", "channel_names": list(names)},
        ],
        "data": data,
        "test_tensor": _file(folder, test),
    }


def _file(folder: Path, name: str) -> dict:
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
