"""The family `stardist`: the package's network and losses, trained by our loop.

The package computes with the Keras that it finds when it is imported, and other tests import it on
legacy Keras; so it is imported again here.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import warnings
from unittest import mock

import numpy as np
import pytest
import yaml

import small_training
from cellseg import models
from cellseg.errors import UserError
from cellseg.models import keras_files
from cellseg.models.stardist import sizes
from cellseg.study import validation
from cellseg.targets.heads import HEADS
from cellseg.training.start import Start
from workflow_runner import TINY, Workflow

STARS = small_training.STARS
OF_PACKAGE = ("stardist", "csbdeep", "cellseg.models.stardist")


def _settings(epochs=1, heads=STARS, **model):
    return {**small_training.settings(epochs, family="stardist", **model), "heads": heads}


@pytest.fixture(scope="module")
def family():
    pytest.importorskip("stardist")

    def of_package():
        return [name for name in sys.modules if name.startswith(OF_PACKAGE)]

    others = {name: sys.modules.pop(name) for name in of_package()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield models.load({"family": "stardist"})
    for name in of_package():
        del sys.modules[name]
    sys.modules.update(others)


@pytest.fixture(scope="module")
def trained(family, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = _settings(60)
    settings["training"].update(learning_rate=0.003, clipnorm=None)
    _, stream = small_training.streams(0, STARS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = family.train(settings, stream, stream, folder, small_training.state(folder))
    return folder, settings, history


def _batch():
    return next(small_training.streams(0, STARS)[1].epoch(0))


def test_both_maps_are_learnt(trained):
    folder, _, history = trained
    for head in STARS:
        losses = history[f"{head}_loss"].to_numpy()
        assert losses[-1] < 0.8 * losses[0], head
    np.testing.assert_allclose(
        history["loss"], history[[f"{head}_loss" for head in STARS]].sum(axis=1), rtol=1e-5
    )
    assert (folder / "weights.h5").is_file() and list((folder / "tensorboard").glob("events*"))


def test_the_loss_is_that_of_the_package(family, trained, tmp_path):
    """Of the network that the package compiles itself, with the same weights and truth."""
    from cellseg.models.stardist import package

    folder, settings, _ = trained
    learner = family.learner(settings, 32, tmp_path)
    learner.load_weights(folder / "weights.h5")
    images, maps = _batch()
    ours = learner.validate_batch((images, maps))
    theirs = package.network(settings["model"], settings["heads"])
    for layer, same in zip(theirs.keras_model.layers, learner.model.layers, strict=False):
        layer.set_weights(same.get_weights())
    theirs.prepare_for_training()
    truth = [maps["star-distances"][..., -1:], maps["star-distances"]]
    found = theirs.keras_model.test_on_batch(images, truth, return_dict=True)
    assert ours["object-probability_loss"] == pytest.approx(found["prob_loss"], rel=1e-5)
    assert ours["star-distances_loss"] == pytest.approx(0.2 * found["dist_loss"], rel=1e-5)
    assert ours["loss"] == pytest.approx(found["loss"], rel=1e-5)


def _layers(model):
    """Weights by layer, under names that do not count on from other networks."""
    from cellseg.models.keras3 import weight_files

    found = {}
    for (layer, _), variable in weight_files.with_common_names(model).items():
        found.setdefault(layer, []).append(weight_files.to_array(variable))
    return found


def _started(family, folder, path, settings, take, **more):
    """The learner as the loop gets it."""
    caught = []
    begun = Start(path, take, more.get("freeze"), more.get("rate", 1), "the other run", [])
    with mock.patch(
        "cellseg.models.keras3.learner.fit", lambda learner, *_: caught.append(learner)
    ):
        stream = small_training.streams(0, settings["heads"])[0]
        family.train(settings, stream, stream, folder, small_training.state(folder), start=begun)
    return caught[0]


OF_STARTS = {"all": [], "all-but-heads": ["prob", "dist"],
             "backbone": ["up_level_1_no_0", "up_level_1_no_2", "up_level_0_no_0",
                          "up_level_0_no_2", "features", "prob", "dist"]}  # fmt: skip
"""Layers that are not taken."""


@pytest.mark.parametrize("take", OF_STARTS)
def test_it_starts_from_another_run(family, trained, tmp_path, take):
    folder, settings, _ = trained
    learner = _started(family, tmp_path, folder / "weights.h5", settings, take)
    given = keras_files.read(folder / "weights.h5")
    at_random = []
    for layer, weights in _layers(learner.model).items():
        alike = [np.array_equal(one, given[layer, n]) for n, one in enumerate(weights)]
        at_random += [] if all(alike) else [layer]
    assert at_random == OF_STARTS[take]


def test_a_frozen_backbone_stays_and_the_rest_is_slow(family, trained, tmp_path):
    folder, settings, _ = trained
    settings = {**settings, "training": {**settings["training"], "weight_decay": 0.5}}
    more = {"freeze": "backbone", "rate": 0.125}
    learner = _started(family, tmp_path, folder / "weights.h5", settings, "all-but-heads", **more)
    before = _layers(learner.model)
    learner.train_batch(_batch(), 1e-3)
    steps = {}
    for layer, weights in _layers(learner.model).items():
        old, new = before[layer][0], weights[0]
        rate = 1e-3 * (1 if layer in ("prob", "dist") else 0.125)
        steps[layer] = np.abs(new - old * (1 - 0.5 * rate)).max() / rate
        if layer.startswith(("conv2d", "down_", "middle_")):
            assert np.array_equal(old, new), layer
            del steps[layer]
    assert len(steps) == 7 and all(0.95 < step < 1.02 for step in steps.values()), steps


def test_it_starts_from_a_file_of_the_package(family, tmp_path):
    """As ``StarDist2D`` saves its best weights, and as those that its authors publish."""
    from cellseg.models.stardist import package

    settings = _settings()
    theirs = package.network(settings["model"], settings["heads"]).keras_model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of what csbdeep does with variables
        theirs.save_weights(tmp_path / "weights_best.h5")
    learner = _started(family, tmp_path, tmp_path / "weights_best.h5", settings, "all")
    started = _layers(learner.model)
    assert list(started) == list(_layers(theirs))
    for layer, weights in _layers(theirs).items():
        for own, value in zip(started[layer], weights, strict=True):
            np.testing.assert_array_equal(own, value, err_msg=layer)


@pytest.mark.parametrize(
    ("model", "grid", "why"),
    [
        ({"width": 4}, 2, "of other shapes are conv2d 3x3x1x8 instead of 3x3x1x4"),
        ({}, 1, "the network has no layer conv2d, conv2d_1"),
    ],
)
def test_a_network_of_another_shape_is_named(family, trained, tmp_path, model, grid, why):
    folder, settings, _ = trained
    heads = {**STARS, "star-distances": {"grid": grid}}
    other = {**settings, "model": {**settings["model"], **model}, "heads": heads}
    with pytest.raises(UserError, match=why):
        _started(family, tmp_path, folder / "weights.h5", other, "all")


def test_the_truth_of_the_probability_is_the_packages(family):
    from stardist.utils import edt_prob

    del family
    labels = small_training.streams(0)[1].tiles.tile(0)[1]
    _, maps = _batch()
    np.testing.assert_allclose(
        maps["star-distances"][0, ..., -1], edt_prob(labels[::2, ::2]), atol=1e-6
    )


def test_maps_are_the_packages_prediction_on_its_grid(family, trained):
    from cellseg.models.stardist import package

    folder, settings, _ = trained
    images, _ = _batch()
    maps = family.Predictor(settings, folder)(images)
    theirs = package.network(settings["model"], settings["heads"])
    ours = family.learner(settings, 32, folder)
    ours.load_weights(folder / "weights.h5")
    for layer, same in zip(theirs.keras_model.layers, ours.model.layers, strict=False):
        layer.set_weights(same.get_weights())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probability, distances = theirs.predict(
            images[0, ..., 0], show_tile_progress=False, verbose=0
        )
    assert maps["star-distances"].shape == (*images.shape[:3], HEADS["star-distances"].channels)
    found = maps["object-probability"][0, ::2, ::2, 0]
    np.testing.assert_allclose(found, probability, atol=1e-5)
    # The package raises distances to 0.001 pixels; star-nms does the same.
    found = np.maximum(maps["star-distances"][0, ::2, ::2], 1e-3)
    np.testing.assert_allclose(found, distances, atol=1e-4)
    assert maps["object-probability"].max() > 0.3


def test_images_of_any_size(family, trained):
    folder, settings, _ = trained
    maps = family.Predictor(settings, folder)(np.zeros((1, 37, 50, 1), np.float32))
    assert {head: one.shape[:3] for head, one in maps.items()} == dict.fromkeys(STARS, (1, 37, 50))


def test_weights_of_another_size_are_refused(family, trained):
    folder, settings, _ = trained
    other = {**settings, "model": {**settings["model"], "width": 4}}
    with pytest.raises(UserError, match=r"weights\.h5"):
        family.Predictor(other, folder)(np.zeros((1, 32, 32, 1), np.float32))


@pytest.mark.parametrize(("depth", "width", "grid"), [(3, 32, 2), (3, 32, 1), (2, 16, 4)])
def test_facts_are_those_of_the_network(family, depth, width, grid):
    heads = {**STARS, "star-distances": {"grid": grid}}
    settings = _settings(heads=heads, depth=depth, width=width)
    size = sizes.stride(settings["model"], grid)
    network = family.build(settings, (size, size))
    assert family.parameters(settings) == network.count_params()
    assert sizes.parameters(settings["model"], 2) == pytest.approx(network.count_params(), rel=0.06)
    values = small_training.values_per_pixel(network, (size, size))
    assert sizes.values(settings["model"], 2) >= 0.99 * values
    if grid == 1:
        assert sizes.values(settings["model"], 2) == pytest.approx(values, rel=0.01)


def test_the_provenance_names_the_package(family):
    from importlib.metadata import version

    assert family.versions()["stardist"] == version("stardist")


def test_without_the_package_an_error_names_the_command(checkout, tmp_path):
    """`make setup` installs it; other environments need not have it."""
    code = (
        "import importlib.util, sys\n"
        f"sys.path.insert(0, {str(checkout / 'scripts')!r})\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: name != 'stardist' and find(name) or None\n"
        "from cellseg import models\n"
        "from cellseg.errors import UserError\n"
        "try:\n"
        "    models.load({'family': 'stardist'})\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"{sys.executable} -m pip install 'stardist>=" in done.stdout, done.stderr
    extras = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    [requirement] = [
        one for one in extras["optional-dependencies"]["stardist"] if one.startswith("stardist")
    ]
    assert requirement in done.stdout


# --- in a study


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def _study(heads="star-distances+object-probability", **model):
    return {
        **TINY,
        "models": {"stars": {"family": "stardist", "width": 8, **model}},
        "segmentation": {"method": "star-nms", "probability_threshold": 0.3},
        "experiments": {
            "first": {
                "title": "StarDist",
                "conditions": [{"model": "stars", "heads": heads, "subset": "full", "seed": 0}],
                "figures": ["learning-curves"],
            }
        },
    }


@pytest.mark.parametrize(
    ("study", "named"),
    [
        (_study("fgbg+star-distances+object-probability"), "and nothing else"),
        ({**_study("fgbg"), "segmentation": {}}, "star-distances+object-probability"),
        (_study(training={"xla": True}), "models.stars.training.xla"),
    ],
)
def test_what_the_package_cannot_do_is_refused(schema, study, named):
    validation.resolve(_study(), schema)
    with pytest.raises(UserError) as refused:
        validation.resolve(study, schema)
    assert named in str(refused.value) and "stardist" in str(refused.value)


def _with_grids(network=None, of_model=None, polygons=None, tried=None):
    """A study with these grids; None leaves the default, 2."""
    heads = {} if of_model is None else {"star-distances": {"grid": of_model}}
    study = _study()
    study["models"]["stars"]["heads"] = heads
    if network is not None:
        study["heads"] = {"star-distances": {"grid": network}}
    if polygons is not None:
        study["segmentation"] = {**study["segmentation"], "grid": polygons}
    if tried is not None:
        study["threshold_searches"] = {"fine": {"grid": tried}}
        study["experiments"]["first"]["threshold_search"] = "fine"
    return study


@pytest.mark.parametrize(
    "grids",
    [{}, {"network": 1}, {"polygons": 4}, {"network": 4, "of_model": 2}, {"tried": [2, 4]}],
)
def test_polygons_are_proposed_on_the_grid_of_the_network(schema, grids):
    validation.resolve(_with_grids(**grids), schema)


@pytest.mark.parametrize(
    ("grids", "keys"),
    [
        ({"network": 4}, ("segmentation.grid: 2 ", "4, to which heads.star-distances.grid ")),
        ({"polygons": 1}, ("segmentation.grid: 1 ", "2, to which heads.star-distances.grid ")),
        ({"of_model": 4, "polygons": 2},
         ("segmentation.grid: 2 ", "models.stars.heads.star-distances.grid ")),
        ({"tried": [2, 1]},
         ("threshold_searches.fine.grid: 1 ", "2, to which heads.star-distances.grid ")),
    ],
)  # fmt: skip
def test_polygons_between_the_networks_pixels_are_refused(schema, grids, keys):
    with pytest.raises(UserError) as refused:
        validation.resolve(_with_grids(**grids), schema)
    assert all(key in str(refused.value) for key in keys), refused.value


def test_grids_of_heads_and_trials_are_looked_at_too(schema):
    heads = "+".join(STARS)
    study = _with_grids()
    study["segmentation_by_heads"] = {heads: {"method": "star-nms", "grid": 1}}
    with pytest.raises(UserError, match=rf"segmentation_by_heads\.{re.escape(heads)}\.grid: 1 "):
        validation.resolve(study, schema)
    # A network of another family predicts each pixel.
    study["models"]["stars"] = {"family": "unet"}
    validation.resolve(study, schema)
    study = _with_grids(tried=[2, 4])
    study["hyperparameter_searches"] = {
        "grids": {"title": "Grids", "model": "stars", "heads": heads, "subset": "full",
                  "seed": 0, "rungs": [1], "threshold_search": "fine", "trials": "all",
                  "space": {"heads.star-distances.grid": [2, 4]}}
    }  # fmt: skip
    with pytest.raises(UserError, match=r"hyperparameter_searches\.grids\.space \(trial 2\)"):
        validation.resolve(study, schema)


@pytest.mark.slow
def test_a_run_through_snakemake(checkout, tmp_path):
    workflow = Workflow.copy(checkout, tmp_path, _study(training={"epochs": 2}))
    done = workflow.call("--set-threads", "train=1", "predict=1", "--", "all")
    assert done.returncode == 0, done.stdout
    run = tmp_path / "results/tiny/runs/stars/star-distances+object-probability/full/seed-0"
    written = {path.name for path in run.iterdir()}
    assert {"weights.h5", "history.csv", "settings.json", "provenance.json", "progress.json",
            "metrics.csv"} <= written  # fmt: skip
    assert "resume" not in written
    provenance = json.loads((run / "provenance.json").read_text())
    assert provenance["stardist"] and provenance["parameters"] > 1000
    assert workflow.planned("all") == {}
    assert os.path.getsize(run / "labels.npz")
