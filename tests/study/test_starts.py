"""Models that start from another run: what the configuration may say, and what is refused."""

import json
import zipfile
from pathlib import Path

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.study import runs, starts
from cellseg.study.runs import Run
from cellseg.study.validation import resolve
from cellseg.training import start

UNET = {"family": "unet", "width": 4}


@pytest.fixture(scope="module")
def schema():
    path = Path(__file__).resolve().parents[2] / "workflow/schemas/config.schema.yaml"
    return yaml.safe_load(path.read_text())


def study(schema, models, **more):
    config = {
        "dataset": "mine",
        "datasets": {
            "mine": {"kind": "simulated"},
            "published": {"kind": "download", "url": "http://nowhere.example/"},
        },
        "models": {"plain": UNET, **models},
        "pretrained": {
            "net": {"url": "http://nowhere.example/net.h5"},
            "zip": {"url": "http://nowhere.example/export.zip"},
        },
        "subsets": {"full": {}, "half": {"fraction": 0.5}},
        "experiments": {
            "one": {
                "title": "?",
                "figures": [],
                "conditions": [
                    {"model": [*models], "heads": "fgbg", "subset": "full", "seed": [3]}
                ],
            }
        },
        **more,
    }
    return resolve(config, schema)


def fine(schema, entry, **more):
    return study(schema, {"fine": {**UNET, "start_from": entry}, **more})


OWN = Run("mine", "fine", "fgbg", "full", 3)
FILE = "results/mine/runs/{model}/fgbg/full/seed-3/export.zip"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"model": "plain"}, Run("mine", "plain", "fgbg", "full", 3)),
        ({"model": "plain", "dataset": "published", "subset": "half", "seed": 1},
         Run("published", "plain", "fgbg", "half", 1)),
        ({"model": "plain", "heads": "pixelwise", "take": "backbone"},
         Run("mine", "plain", "pixelwise", "full", 3)),
        ({"file": "given/export.zip"}, None),
        ({"pretrained": "net"}, None),
        (None, None),
    ],
)  # fmt: skip
def test_keys_left_out_are_those_of_the_run(schema, entry, expected):
    made = fine(schema, entry)
    assert starts.source_of(made, OWN) == expected
    assert starts.with_sources(made, [OWN]) == sorted({OWN, expected or OWN})


def test_models_without_a_start_have_the_settings_that_they_had(schema):
    plain, null = ({**UNET, **more} for more in ({}, {"start_from": None}))
    settings = [
        runs.run_settings(study(schema, {"fine": one}), "fine", "fgbg", "full", 3)
        for one in (plain, null)
    ]
    assert settings[0] == settings[1] and "start_from" not in settings[0]["model"]


def test_a_key_that_says_what_is_so_anyway_changes_no_settings(schema):
    said = {"model": "plain", "heads": "fgbg", "subset": "full", "seed": 3}
    left_out, same, other = (
        runs.run_settings(fine(schema, entry), "fine", "fgbg", "full", 3)
        for entry in ({"model": "plain"}, said, {**said, "seed": 1})
    )
    assert left_out == same != other


CIRCLES = {
    "itself": ({"fine": "fine"}, "models.fine.start_from: fine starts from fine: a circle"),
    "two": ({"fine": "b", "b": "fine"}, "fine starts from b starts from fine: a circle"),
    "behind": ({"fine": "a", "a": "b", "b": "a"},
               "models.a.start_from: a starts from b starts from a: a circle"),
}  # fmt: skip


@pytest.mark.parametrize("name", CIRCLES)
def test_circles_are_named(schema, name):
    sources, why = CIRCLES[name]
    models = {name: {**UNET, "start_from": {"model": one}} for name, one in sources.items()}
    with pytest.raises(UserError, match=why):
        study(schema, models)


REFUSED = {
    "nothing": ({"take": "all"}, "start_from: name the `model`"),
    "two starts": ({"model": "plain", "file": "a.zip"}, "`file` and `model` name two starts"),
    "two files": ({"file": "a.zip", "pretrained": "net"}, "`file` and `pretrained` name two"),
    "pretrained and more": ({"pretrained": "net", "seed": 0}, "`pretrained` and `seed` name two"),
    "pretrained": ({"pretrained": "nut"}, "fine.start_from.pretrained.*net"),
    "an export's address": ({"pretrained": "zip"}, "export.zip is an export.*name it by `file`"),
    "no network file": ({"file": "a.tif"}, r"a.tif is not an export \(.zip\) or"),
    "model": ({"model": "plian"}, "models.fine.start_from.model.*plain"),
    "data set": ({"model": "plain", "dataset": "mein"}, "start_from.dataset.*mine"),
    "subset": ({"model": "plain", "subset": "fall"}, "start_from.subset.*full"),
    "heads": ({"model": "plain", "heads": "fgbk"}, "start_from.heads.*fgbg"),
    "other heads": ({"model": "plain", "heads": "pixelwise"},
                    "takes the heads too, and those of .* are pixelwise, not fgbg"),
    "outside": ({"model": "others"}, "'others' is of family labels, which has no network"),
    "ensemble": ({"model": "many"}, "'many' is an ensemble.*each network of an ensemble may"),
    "family": ({"model": "pyramid", "take": "backbone"},
               "of family panopticnet, whose weights do not fit"),
    "width": ({"model": "wide", "take": "backbone"}, "'wide' has width 8, and 'fine' 4"),
    "an address": ({"file": "https://nowhere.example/a.h5"}, "is an address. Name it in `pre"),
    "braces": ({"file": "given/{a}.h5"}, "given/{a}.h5 has braces"),
    "no name": ({"file": ""}, "start_from.file: the path is empty"),
    "folds": ({"model": "plain", "subset": "five"}, "'five' is 3 folds. Name one, such as five-"),
    "part": ({"model": "plain", "take": "head"}, "start_from.take"),
    "rate": ({"model": "plain", "rate": 0}, "start_from.rate"),
    "key": ({"model": "plain", "taken": "all"}, "no key 'taken'.*take"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_started_from_is_refused(schema, name):
    entry, why = REFUSED[name]
    others = {"family": "labels", "path": "given"}
    many = {**UNET, "ensemble": "cell-type"}
    conditions = [{"model": "fine", "heads": "fgbg", "subset": "full", "seed": 3}]
    experiments = {"one": {"title": "?", "figures": [], "conditions": conditions}}
    pyramid = {"family": "panopticnet", "backbone": "featurenet"}
    models = {
        "others": others,
        "pyramid": pyramid,
        "many": many,
        "wide": {**UNET, "width": 8},
        "fine": {**UNET, "start_from": entry},
    }
    subsets = {"full": {}, "five": {"folds": {"count": 3}}}
    with pytest.raises(UserError, match=why):
        study(schema, models, experiments=experiments, subsets=subsets)


STARS = {"family": "stardist", "width": 4}
CELLS = {"family": "cellpose", "width": 4}
SAM = {"family": "cellpose-sam", "size": 64}
MASKS = {"family": "maskrcnn", "preset": "small"}
CASCADE = {"family": "cascade", "preset": "small"}
TRANSFERS = {
    "stardist": ("star-distances+object-probability", STARS, STARS, {}),
    "stardist's package": ("star-distances+object-probability", STARS, {"file": "a.h5"}, {}),
    "cellpose": ("flows+fgbg", CELLS, CELLS, {"take": "all-but-heads", "rate": 0.1}),
    "cellpose's package": ("flows+fgbg", CELLS, {"file": "given/cyto3"}, {"take": "backbone"}),
    "cellpose-sam": ("flows+fgbg", SAM, SAM, {"take": "all-but-heads", "freeze": "backbone"}),
    "cellpose-sam's package": ("flows+fgbg", SAM, {"file": "given/cpsam_v2"}, {}),
    "maskrcnn": ("instances", MASKS, MASKS, {"freeze": "backbone"}),
    "cascade from maskrcnn": ("instances", CASCADE, MASKS, {"take": "all-but-heads"}),
    "retinamask": ("instances", {**MASKS, "family": "retinamask"}, MASKS, {"take": "backbone"}),
    "centermask": ("instances", *[{"family": "centermask", "preset": "small"}] * 2, {}),
    "an export of a detector": ("instances", MASKS, {"file": "a.zip"}, {}),
    "an export of cellpose": ("flows+fgbg", CELLS, {"file": "a.zip"}, {}),
    "torchvision": ("instances", {**MASKS, "norm": "frozen"}, {"file": "coco.pth"}, {}),
    "heads of torchvision v2": ("instances", {**MASKS, "v2_heads": True}, MASKS,
                                {"take": "all-but-heads"}),
    "starter": ("instances", MASKS, {"file": "starter"}, {},
                "starter network is of family unet, whose weights do not fit one of .* maskrcnn"),
    "an image": ("instances", MASKS, {"file": "a.tif"}, {},
                 r"a.tif is not an export \(.zip\) or weights of family maskrcnn \(.h5, .hdf5,"),
    "heads of another detector": ("instances", CASCADE, MASKS, {},
                                  "whose heads do not fit one of family cascade. Set `take: all-"),
    "a backbone": ("instances", {**CASCADE, "preset": "resnet50"}, MASKS, {"take": "backbone"},
                   "'plain' has the backbone resnet18, and 'fine' resnet50. Give both a `preset`"),
    "a norm": ("instances", MASKS, {**MASKS, "norm": "frozen"}, {},
               "norm frozen, and that of 'fine' group. Set models.fine.norm: frozen"),
    "deformable": ("instances", MASKS, {**CASCADE, "deformable": True}, {"take": "backbone"},
                   "deformable true, and that of 'fine' false. Choose another model"),
    "a family": ("flows+fgbg", CELLS, STARS, {"take": "backbone"},
                 "of family stardist, whose weights do not fit one of family cellpose"),
    "a smaller network": ("flows+fgbg", SAM, {**SAM, "width": 512}, {"take": "backbone"},
                          "width 512"),
    "a detector": ("fgbg", UNET, MASKS, {"take": "backbone"}, "maskrcnn, whose weights do not fit"),
}  # fmt: skip
"""Heads, model, what it starts from, how, and why that is refused."""


@pytest.mark.parametrize("name", TRANSFERS)
def test_models_of_packages_and_detectors_start_too(schema, name):
    heads, model, source, how, *refused = TRANSFERS[name]
    of_run = "family" in source
    entry = {**({"model": "plain"} if of_run else source), **how}
    models = {"fine": {**model, "start_from": entry}, **({"plain": source} if of_run else {})}
    made = {
        "tilings": {"crops": {"mode": "crop", "size": 64, "tile_overlap": 0}},
        "training": {"tiling": "crops", "clipnorm": None},
        "segmentation_by_heads": {
            "flows+fgbg": {"method": "flow-tracking"},
            "star-distances+object-probability": {"method": "star-nms"},
        },
        "experiments": {
            "one": {
                "title": "?",
                "figures": [],
                "conditions": [{"model": "fine", "heads": heads, "subset": "full", "seed": 3}],
            }
        },
    }
    own = Run("mine", "fine", heads, "full", 3)
    if refused:
        with pytest.raises(UserError, match=refused[0]):
            study(schema, models, **made)
        return
    resolved = study(schema, models, **made)
    expected = Run("mine", "plain", heads, "full", 3) if of_run else None
    assert starts.source_of(resolved, own) == expected
    settings = runs.run_settings(resolved, "fine", heads, "full", 3)["model"]["start_from"]
    assert {key: settings[key] for key in how} == how


def test_an_ensemble_may_start_from_one_network(schema):
    many = {**UNET, "ensemble": "cell-type", "start_from": {"model": "plain"}}
    made = study(schema, {"fine": many})
    assert starts.source_of(made, OWN).model == "plain"


def test_a_missing_file_is_named_but_one_that_a_rule_makes(schema, tmp_path):
    for made_by_a_rule in ("results/data/pretrained/net.h5", FILE.format(model="plain")):
        starts.refuse_files(fine(schema, {"file": made_by_a_rule}), [OWN])
    for missing in (str(tmp_path / "none.zip"), FILE.format(model="plian")):
        with pytest.raises(
            UserError, match=f"models.fine.start_from.file: {missing} does not exist"
        ):
            starts.refuse_files(fine(schema, {"file": missing}), [OWN])
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(UserError, match=r"folder.zip is a folder"):
        starts.refuse_files(fine(schema, {"file": str(tmp_path / "folder.zip")}), [OWN])


@pytest.mark.parametrize("before", ["", "./", f"{Path.cwd()}/"])
def test_a_file_of_a_run_of_the_study_needs_that_run(schema, before):
    made = fine(schema, {"file": before + FILE.format(model="plain")})
    assert starts.file_of(made, OWN) == FILE.format(model="plain")  # as its rule calls it
    assert starts.with_sources(made, [OWN]) == [OWN, Run("mine", "plain", "fgbg", "full", 3)]
    with pytest.raises(UserError, match=r"models.fine.start_from.file: .* a circle"):
        fine(schema, {"file": before + FILE.format(model="fine")})


MISFITS = {
    "width": (
        {**UNET, "width": 12},
        {},
        "models.fine.start_from.file: .* has width 12, and 'fine' 4",
    ),
    "heads": (UNET, {"pixelwise": {}}, "those of .* are pixelwise, not fgbg"),
    "family": (
        {"family": "stardist"},
        {"fgbg": {}},
        "of family stardist, whose weights do not fit",
    ),
    "an unknown family": ({"family": "newer"}, {"fgbg": {}}, "of family newer, which is not known"),
    "another version": (UNET, {"fgbg": {}}, "settings.json of .* made by a newer version"),
    "no settings": (None, {}, "holds no settings.json that can be read"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_an_export_that_does_not_fit_is_refused_in_the_plan(schema, tmp_path, name):
    model, heads, why = MISFITS[name]
    form = 3 if name == "another version" else 2
    settings = json.dumps({"format": form, "model": model, "heads": heads}) if model else "[1"
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("settings.json", settings)
    made = fine(schema, {"file": str(tmp_path / "export.zip")})
    with pytest.raises(UserError, match=why):
        starts.refuse_files(made, [OWN])


def test_the_starter_is_compared_with_the_network_in_the_plan(schema):
    with pytest.raises(UserError, match="'starter' has width 12, and 'fine' 4"):
        starts.refuse_files(fine(schema, {"file": "starter"}), [OWN])


FOLDED = {
    "five": {"folds": {"count": 5}},
    "held": {"folds": {"count": 5, "fold": 2, "validation": "held-out"}},
    "third": {"folds": {"count": 3, "fold": 2}},
    "one": {"folds": {"count": 5, "fold": 2}},
}


@pytest.mark.parametrize(
    ("own", "theirs", "refused"),
    [
        ("five", {}, False),
        ("five", {"subset": "five-fold-1"}, True),
        ("five", {"subset": "full"}, True),
        ("one", {"subset": "held"}, False),
        ("one", {"subset": "third"}, True),
        ("full", {"subset": "one"}, True),
        ("full", {"subset": "half"}, False),
        ("five", {"subset": "full", "dataset": "published"}, False),
    ],
)
def test_runs_that_know_the_scored_images_are_refused(schema, own, theirs, refused):
    conditions = [{"model": "fine", "heads": "fgbg", "subset": own, "seed": 3}]
    more = {
        "subsets": {"full": {}, "half": {"fraction": 0.5}, **FOLDED},
        "experiments": {"one": {"title": "?", "figures": [], "conditions": conditions}},
    }
    models = {"fine": {**UNET, "start_from": {"model": "plain", **theirs}}}
    if not refused:
        study(schema, models, **more)
        return
    with pytest.raises(UserError, match=r"was trained on images that .* is scored on"):
        study(schema, models, **more)
    # Also by way of another data set.
    models = {
        "fine": {
            **UNET,
            "start_from": {"model": "between", "dataset": "published", "subset": "full"},
        },
        "between": {**UNET, "start_from": {"model": "plain", "dataset": "mine", **theirs}},
    }
    with pytest.raises(UserError, match=r"mine/runs/plain/.* was trained on images that mine"):
        study(schema, models, **more)


def test_a_start_that_knows_validation_images_is_warned_of(schema):
    wells = {"full": {}, "wells": {"validation": "by-well"}}
    models = {"fine": {**UNET, "start_from": {"model": "plain", "subset": "wells"}}}
    made = study(schema, models, subsets=wells)
    [line] = starts.warnings(made, [OWN])
    assert "models.fine.start_from" in line and "validates with" in line


def test_a_run_that_no_experiment_names_is_checked_too(schema):
    """As the rule does for a run that is asked for by its file."""
    made = fine(schema, {"model": "plain", "heads": "fgbg"})
    with pytest.raises(UserError, match="are fgbg, not pixelwise"):
        starts.check_needed(made, Run("mine", "fine", "pixelwise", "full", 3))


def test_differences_that_no_shape_shows_are_warned_of(schema):
    entry = {"model": "other", "dataset": "published"}
    other = {**UNET, "training": {"normalization": "percentile"}}
    made = study(
        schema,
        {"fine": {**UNET, "start_from": entry}, "other": other},
        datasets={
            "mine": {"kind": "simulated", "pixel_size": 0.5},
            "published": {"kind": "simulated", "pixel_size": 1.25},
        },
    )
    lines = starts.warnings(made, [OWN])
    assert len(lines) == 2 and all("models.fine.start_from" in line for line in lines)
    assert "normalization percentile, and this one with whole-image" in lines[0]
    assert "its pixels are of 1.25 µm, and those here of 0.5 µm" in lines[1]
    assert starts.warnings(fine(schema, {"model": "plain"}), [OWN]) == []


# --- files of a run, and exports


@pytest.fixture
def files(schema, tmp_path):
    """Weights, settings and provenance of a run that itself started from another one."""
    made = fine(schema, {"model": "plain"})
    settings = runs.run_settings(made, "plain", "fgbg", "full", 3)
    earlier = {"file": "first.h5", "kind": None, "take": "all", "freeze": None, "rate": 1}
    record = {"train_images": ["a", "b"], "val_images": [], "started_from": [earlier]}
    (tmp_path / "weights.h5").write_bytes(b"weights")
    (tmp_path / "settings.json").write_text(json.dumps({"format": 2, **settings}))
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    origin = {"dataset": "theirs", "model": "net", "heads": "fgbg", "subset": "full", "seed": 0,
              "kind": "download", "pixel_size": 1.25}  # fmt: skip
    (tmp_path / "origin.json").write_text(json.dumps(origin))
    return made, tmp_path


def opened(made, paths):
    settings = runs.run_settings(made, "fine", "fgbg", "full", 3)
    return start.opened(settings, [str(path) for path in paths], vars(OWN), made["datasets"])


def test_the_chain_names_all_that_a_run_started_from(files):
    made, folder = files
    paths = [folder / f"{name}" for name in ("weights.h5", "settings.json", "provenance.json")]
    with opened(made, paths) as begun:
        first, second = begun.chain
        assert begun.path == folder / "weights.h5"
    assert (first["dataset"], first["model"], first["seed"]) == ("mine", "plain", 3)
    assert (first["kind"], first["train_images"], first["take"]) == ("simulated", 2, "all")
    assert second["file"] == "first.h5" and second["kind"] is None
    assert "not known" in start.licence(second)
    assert json.loads(json.dumps(begun.chain)) == begun.chain


def test_pretrained_weights_are_named_in_the_chain(schema, files):
    made = fine(schema, {"pretrained": "net", "take": "backbone"})
    assert starts.pretrained_of(made, OWN) == "net"
    with opened(made, [files[1] / "weights.h5"]) as begun:
        assert (begun.name, begun.path) == ("net", files[1] / "weights.h5")
    link = begun.chain[0]
    assert (link["pretrained"], link["kind"]) == ("net", None) and "file" not in link
    assert start.of_link(link) == "the pretrained weights `net`"
    assert "not known" in start.licence(link)


def test_an_export_says_what_it_is_of(schema, files, capsys):
    _, folder = files
    path = folder / "export.zip"
    made = study(
        schema,
        {"fine": {**UNET, "start_from": {"file": str(path)}}},
        datasets={"mine": {"kind": "simulated", "pixel_size": 0.5}},
    )
    names = ("weights.h5", "settings.json", "provenance.json", "origin.json")
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.write(folder / name, name)
    with opened(made, [path]) as begun:
        assert begun.path.read_bytes() == b"weights"
    assert begun.chain[0]["kind"] == "download" and "NC" in start.licence(begun.chain[0])
    assert "its pixels are of 1.25 µm" in capsys.readouterr().out
    for missing in names:
        with zipfile.ZipFile(path, "w") as archive:
            for name in set(names) - {missing}:
                archive.write(folder / name, name)
        with pytest.raises(UserError, match=f"holds no {missing}"), opened(made, [path]):
            pass
    path.write_bytes(b"PK broken")
    with pytest.raises(UserError, match="damaged or no zip"), opened(made, [path]):
        pass


DAMAGED = {
    "settings.json": {"format": 2, "heads": {}, "model": {}, "tiling": {}, "training": {}},
    "provenance.json": {},
    "origin.json": {"dataset": "theirs"},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_an_incomplete_file_of_an_export_is_named_with_the_export(schema, files, name):
    path = files[1] / "export.zip"
    made = fine(schema, {"file": str(path)})
    (files[1] / name).write_text(json.dumps(DAMAGED[name]))
    with zipfile.ZipFile(path, "w") as archive:
        for one in ("weights.h5", "settings.json", "provenance.json", "origin.json"):
            archive.write(files[1] / one, one)
    with pytest.raises(UserError, match=f"export.zip: {name} is .*damaged.* lacks '"):
        with opened(made, [path]):
            pass


def test_weights_of_an_export_that_cannot_be_read_name_the_export(schema, files):
    path = files[1] / "export.zip"
    made = fine(schema, {"file": str(path)})
    with zipfile.ZipFile(path, "w") as archive:
        for one in ("weights.h5", "settings.json", "provenance.json", "origin.json"):
            archive.write(files[1] / one, one)
    with pytest.raises(UserError, match=r"export.zip: weights.h5 is broken"):
        with opened(made, [path]) as begun:
            raise UserError(f"{begun.path} is broken")
