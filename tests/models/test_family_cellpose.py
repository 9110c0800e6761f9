"""The family `cellpose`: the package's network and loss, trained by our loop."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import yaml

from cellseg.errors import UserError

package = pytest.importorskip("cellseg.models.cellpose.package", exc_type=UserError)

import torch  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import flow_training  # noqa: E402
import small_training  # noqa: E402
from cellseg import models  # noqa: E402
from cellseg.models.cellpose import losses as package_losses  # noqa: E402
from cellseg.models.cellpose import maps, sizes  # noqa: E402
from cellseg.scoring.objects import score_image  # noqa: E402
from cellseg.segmentation.methods import flow_tracking as method  # noqa: E402
from cellseg.study import validation  # noqa: E402
from cellseg.targets import heads  # noqa: E402
from cellseg.training.learning_rate import learning_rate  # noqa: E402
from flow_training import batch, train, weights  # noqa: E402
from made_labels import ellipses  # noqa: E402
from workflow_runner import TINY, Workflow  # noqa: E402

FLOWS = small_training.FLOWS
SIDE = 64


_settings = partial(flow_training.settings, "cellpose")


@pytest.fixture(scope="module")
def family():
    torch.set_num_threads(1)
    return models.load({"family": "cellpose"})


@pytest.fixture(scope="module")
def trained(family, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "trained"
    settings = _settings(3)
    return folder, settings, train(family, folder, settings)


def _truth(side=SIDE, seed=0):
    """Labels (side, side) of some nine cells, and the targets of both heads."""
    labels = ellipses(9, side, side, seed)
    return labels, {head: one[None] for head, one in heads.compute(labels, FLOWS).items()}


def _assert_equal_weights(first, second):
    own, other = weights(first), weights(second)
    assert own.keys() == other.keys()
    for name in own:
        np.testing.assert_array_equal(own[name], other[name], err_msg=name)


# --- what is the package's


def test_targets_are_the_packages():
    """Order, sign and length of the flows, and the cells."""
    from cellpose import dynamics

    labels, targets = _truth()
    assert labels.max() > 5
    [theirs] = dynamics.labels_to_flows([labels.copy()], device=torch.device("cpu"))
    np.testing.assert_array_equal(maps.truth_of(targets)[0], theirs[1:])


def test_a_grey_image_is_given_to_the_network_as_by_the_package():
    from cellpose import transforms

    images, _ = batch()
    theirs = np.stack([transforms.reshape(image[..., 0], [0, 0], True) for image in images])
    np.testing.assert_array_equal(maps.images_of(images, sizes.IMAGE_CHANNELS).numpy(), theirs)


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_and_its_gradient_are_those_of_the_package(seed):
    from cellpose.train import _loss_fn_seg

    random = np.random.default_rng(seed)
    cells = random.integers(0, 2, (2, 8, 12, 1))
    targets = {
        "flows": random.normal(size=(2, 8, 12, 2)).astype(np.float32),
        "fgbg": np.concatenate([1 - cells, cells], axis=-1).astype(np.float32),
    }
    ours = torch.from_numpy(random.normal(0, 3, (2, 3, 8, 12)).astype(np.float32))
    theirs = ours.clone()
    ours.requires_grad_()
    theirs.requires_grad_()
    losses = package_losses.losses_of(ours, targets)
    assert set(losses) == {"flows", "fgbg"} and all(one > 0.1 for one in losses.values())
    total = sum(losses.values())
    expected = _loss_fn_seg(maps.truth_of(targets), theirs, torch.device("cpu"))
    total.backward()
    expected.backward()
    assert total.item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_steps_are_those_of_the_packages_training(family, tmp_path, optimizer):
    """Three of them, as ``cellpose.train.train_seg`` makes one of a batch."""
    from cellpose.train import _loss_fn_seg

    options = {"learning_rate": 0.005, "weight_decay": 1e-5}
    learner = family.learner(_settings(training=options, optimizer=optimizer), 32, tmp_path)
    network = package.network({"width": 4})
    network.load_state_dict(learner.model.state_dict())
    kinds = {"adam": (torch.optim.AdamW, {}), "sgd": (torch.optim.SGD, {"momentum": 0.9})}
    kind, more = kinds[optimizer]
    theirs = kind(network.parameters(), lr=0.005, weight_decay=1e-5, **more)
    images, targets = batch()
    network.train()
    for _ in range(3):
        found = network(maps.images_of(images, sizes.IMAGE_CHANNELS))[0]
        expected = _loss_fn_seg(maps.truth_of(targets), found, torch.device("cpu"))
        theirs.zero_grad()
        expected.backward()
        theirs.step()
        losses = learner.train_batch((images, targets), 0.005)
        assert losses["loss"] == pytest.approx(expected.item(), rel=1e-5)
    for own, other in zip(learner.model.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


def test_the_packages_schedule_is_one_of_ours(monkeypatch, tmp_path):
    """What docs/explanation/representations.md names, next to what the package's loop sets."""
    from cellpose import train

    epochs, seen = 310, []

    class Recorded(torch.optim.SGD):
        def step(self):
            seen.append(self.param_groups[0]["lr"])

    monkeypatch.setattr(torch.optim, "SGD", Recorded)
    monkeypatch.setattr(train, "_loss_fn_seg", lambda truth, found, device: found.sum())
    labels = np.zeros((16, 16), np.int32)
    labels[4:12, 4:12] = 1
    network = package.network({"width": 1})
    train.train_seg(
        network, [np.zeros((2, 16, 16), np.float32)], [labels], channels=[0, 0], normalize=False,
        SGD=True, learning_rate=0.1, n_epochs=epochs, min_train_masks=0, bsize=16, batch_size=1,
        save_path=tmp_path, model_name="unused",
    )  # fmt: skip
    assert len(seen) == epochs and seen[0] == 0 and seen[50] == 0.1 and seen[-1] < 0.001
    milestones = [(epochs - 100 + 10 * times) / epochs for times in range(10)]
    ours = {"name": "steps", "warmup": 9 / epochs, "factor": 0.5, "milestones": milestones}
    rates = [learning_rate(ours, 0.1, epoch, epochs, epoch) for epoch in range(epochs)]
    np.testing.assert_allclose(rates, seen, atol=0.1 / 1000)


def test_maps_are_the_packages_outputs(family, trained):
    from cellpose import core

    folder, settings, _ = trained
    learner = family.learner(settings, 32, folder)
    learner.load_weights(folder / "weights.h5")
    images, _ = batch()
    found = family.Predictor(settings, folder)(images)
    outputs = core._forward(learner.model, maps.images_of(images, sizes.IMAGE_CHANNELS).numpy())[0]
    np.testing.assert_allclose(5 * np.moveaxis(found["flows"], -1, 1), outputs[:, :2], atol=1e-5)
    logits = np.log(found["fgbg"][..., 1] / found["fgbg"][..., 0])
    np.testing.assert_allclose(logits, outputs[:, 2], atol=1e-4)
    np.testing.assert_allclose(found["fgbg"].sum(axis=-1), 1, atol=1e-6)
    assert all(one.dtype == np.float32 and one.shape == (2, 32, 32, 2) for one in found.values())


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")  # of torch, once
def test_cells_are_found_as_by_the_package():
    """From outputs of a network: maps, then cells, label for label."""
    from cellpose import dynamics

    _, targets = _truth(96, 3)
    truth = maps.truth_of(targets)
    random = np.random.default_rng(0)
    outputs = np.concatenate([5 * truth[:, 1:], 12 * truth[:, :1] - 6], axis=1)
    outputs = (outputs + random.normal(0, 0.8, outputs.shape)).astype(np.float32)
    found = {head: one[0] for head, one in maps.maps_of(torch.from_numpy(outputs)).items()}
    theirs = dynamics.compute_masks(outputs[0, :2], outputs[0, 2], min_size=15)
    ours, _ = method.segment(found, {"cellpose_size_error": True})
    assert theirs.max() > 5
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("width", [32, 5])
def test_facts_are_those_of_the_network(family, width):
    model = {"width": width}
    network = package.network(model)
    assert sizes.parameters(model, 2) == family.parameters({"model": model})
    with _Outputs() as outputs:
        network.train()(torch.zeros(2, 2, SIDE, SIDE))
    assert sizes.values(model, 2) == pytest.approx(outputs.values / (2 * SIDE**2))
    assert models.predicts({"family": "cellpose"}) == "maps"


class _Outputs(TorchDispatchMode):
    """Counts the values of new maps: those of rectifiers are written over their inputs."""

    NEW = ("batch_norm", "convolution", "add.", "max_pool", "upsample")

    def __init__(self):
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        first = made[0] if isinstance(made, tuple) else made
        if any(name in str(function) for name in self.NEW):
            self.values += first.numel()
        return made


# --- what is ours


def test_training_writes_history_weights_and_tensorboard(trained):
    folder, _, history = trained
    assert history["epoch"].tolist() == [1, 2, 3] and np.isfinite(history.to_numpy()).all()
    parts = history["flows_loss"] + history["fgbg_loss"]
    np.testing.assert_allclose(history["loss"], parts, rtol=1e-5)
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]
    assert (folder / "weights.h5").is_file() and list((folder / "tensorboard").glob("events*"))


def test_saved_weights_predict_like_the_trained_network(family, tmp_path):
    settings = _settings(training={"ema": 0.5})
    learner = family.learner(settings, 32, tmp_path)
    given = batch()
    for _ in range(3):
        learner.train_batch(given, 0.005)
    learner.save_weights(tmp_path / "weights.h5")  # and the network has the averages, too
    learner.model.eval()
    with torch.no_grad():
        expected = maps.maps_of(learner.model(maps.images_of(given[0], sizes.IMAGE_CHANNELS))[0])
    found = family.Predictor(settings, tmp_path)(given[0])
    for head in FLOWS:
        np.testing.assert_array_equal(found[head], expected[head])


def test_equal_seeds_give_equal_weights_and_others_others(family, trained, tmp_path):
    folder, settings, history = trained
    again = train(family, tmp_path / "again", settings)
    np.testing.assert_array_equal(again["loss"], history["loss"])
    _assert_equal_weights(folder / "weights.h5", tmp_path / "again/weights.h5")
    train(family, tmp_path / "other", _settings(1, seed=1))
    own, other = (weights(path / "weights.h5") for path in (folder, tmp_path / "other"))
    assert np.abs(own["output.2.weight"] - other["output.2.weight"]).max() > 1e-3


class _Killed(Exception):
    pass


class _KilledAfter:
    """Validation of so many epochs, then the end of the process."""

    def __init__(self, stream, epochs):
        self.stream, self.left = stream, epochs

    def epoch(self, number):
        if not self.left:
            raise _Killed
        self.left -= 1
        return self.stream.epoch(number)


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_resumed_training_ends_bit_equal(family, tmp_path, capsys, optimizer, ema):
    """Also of averages; test_families.py kills a process."""
    settings = _settings(4, training={"ema": ema}, optimizer=optimizer)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    expected = train(family, whole, settings)
    validate = small_training.streams(0, FLOWS)[1]
    with pytest.raises(_Killed):
        train(family, killed, settings, _KilledAfter(validate, 2))
    assert not (killed / "weights.h5").exists()
    torch.manual_seed(99)
    history = train(family, killed, settings)
    assert "Resuming after epoch 2 of 4" in capsys.readouterr().out
    np.testing.assert_array_equal(history["val_loss"], expected["val_loss"])
    _assert_equal_weights(whole / "weights.h5", killed / "weights.h5")


def test_images_of_any_size(family, trained):
    folder, settings, _ = trained
    predict = family.Predictor(settings, folder)
    image = np.random.default_rng(0).normal(size=(1, 37, 50, 1)).astype(np.float32)
    found = predict(image)
    assert {head: one.shape for head, one in found.items()} == dict.fromkeys(FLOWS, (1, 37, 50, 2))
    padded = np.pad(image, [(0, 0), (0, 3), (0, 6), (0, 0)], mode="symmetric")
    np.testing.assert_array_equal(found["flows"], predict(padded)["flows"][:, :37, :50])


def test_weights_of_another_size_are_refused(family, trained):
    folder, settings, _ = trained
    with pytest.raises(UserError, match=r"weights\.h5 holds the weights of another network"):
        family.Predictor({**settings, "model": {**settings["model"], "width": 5}}, folder)


def test_the_provenance_names_the_package(family):
    from importlib.metadata import version

    assert family.versions() == {"torch": torch.__version__, "cellpose": version("cellpose")}
    assert family.device() == "cpu" or torch.cuda.is_available()


def test_half_floats_are_near_to_whole_ones(family, tmp_path):
    losses = [
        family.learner(_settings(training={"mixed_precision": half}), 32, tmp_path).train_batch(
            batch(), 0.001
        )["loss"]
        for half in (False, "bfloat16")
    ]
    assert losses[1] != losses[0] and losses[1] == pytest.approx(losses[0], rel=0.05)


def test_a_tile_is_learnt_by_heart(family, tmp_path):
    """From targets to cells, through weights that are loaded again."""
    labels, targets = _truth()
    random = np.random.default_rng(0)
    grey = np.where(_borders(labels), 2.0, (labels > 0) * 1.0)
    image = (grey + random.normal(0, 0.1, labels.shape)).astype(np.float32)[None, ..., None]
    settings = _settings(width=8)
    learner = family.learner(settings, SIDE, tmp_path)
    for step in range(80):
        learner.train_batch((image, targets), 0.005 * min(1, step / 10))
    learner.save_weights(tmp_path / "weights.h5")
    found = family.Predictor(settings, tmp_path)(image)
    cells, scores = method.segment({head: one[0] for head, one in found.items()}, {})
    assert score_image(labels, cells)[0]["f1_50"] > 0.85
    assert len(scores) == cells.max() and (scores > 0.5).all()


def _borders(labels):
    """Pixels of cells next to another one."""
    padded = np.pad(labels, 1, mode="edge")
    shifts = [padded[1:-1, 2:], padded[2:, 1:-1]]
    return (labels > 0) & np.any([one != labels for one in shifts], axis=0)


# --- without the package


HIDDEN = "import sys; sys.modules['cellpose'] = None\n"


def _python(checkout, code):
    code = f"{HIDDEN}sys.path.insert(0, {str(checkout / 'scripts')!r})\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_without_the_package_an_error_names_the_command(checkout):
    done = _python(checkout, "from cellseg import models\nmodels.load({'family': 'cellpose'})")
    assert "family cellpose needs the package cellpose" in done.stderr
    assert done.stderr.rstrip().endswith("make detectors")


def test_a_study_is_planned_without_torch(checkout):
    code = (
        "from pathlib import Path\nimport yaml\n"
        "from cellseg import models\nfrom cellseg.jobs import network_memory\n"
        "from cellseg.study import runs, validation\n"
        f"checkout = Path({str(checkout)!r})\n"
        "read = lambda path: yaml.safe_load((checkout / path).read_text())\n"
        "schema = read('workflow/schemas/config.schema.yaml')\n"
        "study = validation.resolve(read('workflow/studies/representations.yaml'), schema)\n"
        "settings = runs.run_settings(study, 'cellpose', 'flows+fgbg', 'full', 0)\n"
        "print(network_memory.training_mb(settings, False) > 1000,\n"
        "      models.description(settings['model']), 'torch' in sys.modules)"
    )
    done = _python(checkout, code)
    assert done.stdout == "True Cellpose's network (`cellpose` 3.1), 32 channels False\n", (
        done.stderr
    )


# --- in a study


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def _study(named="flows+fgbg", **model):
    return {
        **TINY,
        "models": {"flowing": {"family": "cellpose", "width": 8, **model}},
        "segmentation": {"method": "flow-tracking"},
        "experiments": {
            "first": {
                "title": "Cellpose",
                "conditions": [{"model": "flowing", "heads": named, "subset": "full", "seed": 0}],
                "figures": ["learning-curves"],
            }
        },
    }


@pytest.mark.parametrize(
    ("study", "named"),
    [
        (_study("flows+fgbg+pixelwise"), "and nothing else"),
        ({**_study("fgbg"), "segmentation": {}}, "flows+fgbg"),
        (_study(training={"xla": True}), "models.flowing.training.xla"),
    ],
)
def test_what_the_package_cannot_do_is_refused(schema, study, named):
    validation.resolve(_study(), schema)
    with pytest.raises(UserError) as refused:
        validation.resolve(study, schema)
    assert named in str(refused.value) and "cellpose" in str(refused.value)


@pytest.mark.slow
def test_a_run_through_snakemake(checkout, tmp_path):
    workflow = Workflow.copy(checkout, tmp_path, _study(training={"epochs": 2, "clipnorm": None}))
    done = workflow.call("--set-threads", "train=1", "predict=1", "--", "all")
    assert done.returncode == 0, done.stdout
    run = tmp_path / "results/tiny/runs/flowing/flows+fgbg/full/seed-0"
    written = {path.name for path in run.iterdir()}
    assert {"weights.h5", "history.csv", "settings.json", "provenance.json", "progress.json",
            "metrics.csv"} <= written  # fmt: skip
    assert "resume" not in written
    provenance = json.loads((run / "provenance.json").read_text())
    assert provenance["versions"]["cellpose"] and provenance["parameters"] > 1000
    assert workflow.planned("all") == {}
    assert os.path.getsize(run / "labels.npz")
