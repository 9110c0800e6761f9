"""A family that is added: ten lines, its facts, an entry in the registry."""

import json
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import small_training
import tiny_run
from cellseg import models
from cellseg.export import run as export_run
from cellseg.inference import map_store
from cellseg.inference import run as predict_run
from cellseg.runtime import code_fingerprint
from cellseg.training import run as training
from run_inputs import write_split

FAMILY = '''"""Family `plain`: one convolution."""
from cellseg.models.keras3.family import Keras3Family
import keras
from cellseg.models.keras3.layers import Activated
from cellseg.targets.heads import HEADS

def build(settings, shape):
    image = keras.Input((*shape, 1))
    x = keras.layers.Conv2D(settings["model"]["width"], 3, padding="same", name="all")(image)
    maps = {head: keras.layers.Conv2D(HEADS[head].channels, 1, name=f"of_{head}")(x)
            for head in settings["heads"]}
    ends = {head: Activated(HEADS[head].activation, 0.01, name=head) for head in maps}
    return keras.Model(image, {head: ends[head](maps[head]) for head in maps})

FAMILY = Keras3Family(build, stride=lambda model: 1)
'''
FACTS = '''"""What the family `plain` is."""

def parameters(model, n_heads):
    return 10 * model["width"] + 2 * n_heads * (model["width"] + 1)

def values(model, n_heads):
    return model["width"] + 4 * n_heads + 1

def description(model):
    return f"One convolution of {model['width']} channels"
'''
MODEL = {"family": "plain", "ensemble": None, "width": 3, "backend": "tensorflow"}
ENTRY = '"plain": Entry("cellseg.models.plain.family", facts="cellseg.models.plain.facts")'


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """The registry knows one more."""
    (tmp_path / "plain_family.py").write_text(FAMILY)
    (tmp_path / "plain_facts.py").write_text(FACTS)
    monkeypatch.syspath_prepend(tmp_path)
    entry = models.Entry("plain_family", facts="plain_facts")
    monkeypatch.setitem(models.FAMILIES, "plain", entry)
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        family = models.load(MODEL)
    monkeypatch.setattr(family, "set_threads", lambda threads: None)  # a process chooses them once
    monkeypatch.setitem(small_training.OWN_SETTINGS, "plain", MODEL)
    monkeypatch.setitem(small_training.LEARNERS, "plain", "learner")
    yield family
    for name in ("plain_family", "plain_facts"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(plain, tmp_path):
    """Files of a run of the new family, trained by what the rule calls."""
    files = tiny_run.make(plain, "plain", tmp_path / "run")
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for split in ("train", "val"):
        write_split(inputs, split, [(f"{split}{number}", "BV2") for number in range(4)])
    settings = small_training.settings(20, family="plain")
    settings["training"] |= {
        "learning_rate": 0.01,
        "rotation": 0,
        "zoom": 1,
        "flips": False,
        "intensity": {},
    }
    settings["training"] |= {"warp": "labels", "clipnorm": None}
    subset = {"fraction": 1, "cell_types": [], "selection": "seeded", "validation": "official"}
    training.train(
        {**settings, "subset": subset},
        {split: str(inputs / f"{split}.npz") for split in ("train", "val")},
        [str(inputs / f"{split}.images.parquet") for split in ("train", "val")],
        [], None, "code", models.load(settings["model"]), files["weights"].parent, 1,
    )  # fmt: skip
    return files


def test_it_is_trained_predicts_and_is_exported(run, tmp_path):
    """By what the scripts of the rules call, with `models.load`."""
    history = pd.read_csv(run["weights"].parent / "history.csv")
    losses = history["val_loss"]
    assert len(history) == 20 and losses.iloc[-1] < 0.5 * losses.iloc[0]
    provenance = json.loads(run["provenance"].read_text())
    assert provenance["parameters"] == models.expected_parameters(MODEL, 2) == 46
    assert set(provenance["versions"]) >= {"keras", "tensorflow"}

    path = tmp_path / "predicted.zip"
    predict_run.predict(run["settings"], [run["images"]], None, 1, tiny_run.OPTIONS,
                        tiny_run.CHANNELS, models.load, run["weights"].parent, path,
                        1)  # fmt: skip
    maps = map_store.open(path)
    for name, shape in (("one", (50, 70)), ("two", (20, 130))):
        found = maps.read(name)
        assert set(found) == {"inner-distance", "pixelwise"}
        assert {one.shape for of_head in found.values() for one in of_head.values()} == {shape}

    paths = {key: str(path) for key, path in run.items() if key != "images"}
    export_run.export(paths, [str(run["images"])], "download", models.load,
                      str(tmp_path / "export.zip"), 1)  # fmt: skip
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        card = archive.read("README.md").decode()
    assert "One convolution of 3 channels, 46 weights" in card


def test_its_network_is_as_its_facts_say(plain):
    import keras

    settings = small_training.settings(1, family="plain")
    network = plain.build(settings, (32, 32))
    assert isinstance(network, keras.Model)
    assert plain.parameters(settings) == models.expected_parameters(MODEL, 2)
    heads = sum(head.shape[-1] for head in network.output.values())
    assert models.values_per_pixel(MODEL, 2) == 1 + 3 + 2 * heads


def test_every_family_is_described_without_a_library_of_networks():
    """A plan asks for the memory of trainings and for the size of weights."""
    shipped = {
        name: small_training.OWN_SETTINGS.get(name, {"preset": "small"}) for name in models.FAMILIES
    }
    asked = [{"family": name, **model} for name, model in shipped.items()]
    code = (
        f"import sys; sys.path.insert(0, {str(Path(models.__file__).parents[2])!r})\n"
        "from cellseg import models\n"
        f"for model in {asked!r}:\n"
        "    assert models.expected_parameters(model, 2) > 1000\n"
        "    assert models.values_per_pixel(model, 2) > 10 and models.description(model)\n"
        "heavy = {'keras', 'tf_keras', 'tensorflow', 'deepcell', 'stardist', 'torch', 'timm',\n"
        "         'cellpose', 'segment_anything'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_it_trains_no_other_family_again(checkout, tmp_path):
    """And its own runs watch its modules, not those of others."""
    grown = tmp_path / "scripts"
    shutil.copytree(checkout / "scripts", grown)
    folder = grown / "cellseg/models/plain"
    folder.mkdir()
    for name, text in {"__init__": '"""Plain."""\n', "family": FAMILY, "facts": FACTS}.items():
        (folder / f"{name}.py").write_text(text)
    registry = grown / "cellseg/models/__init__.py"
    text = registry.read_text()
    registry.write_text(text.replace('    "unet": Entry(', f'    {ENTRY},\n    "unet": Entry('))
    assert ENTRY in registry.read_text()

    def digits(scripts, script, *modules):
        return code_fingerprint.fingerprint(scripts / script, scripts / "cellseg", modules)

    for entry in models.FAMILIES.values():
        for script in ("train.py", "predict.py"):
            before = digits(checkout / "scripts", script, entry.module)
            assert digits(grown, script, entry.module) == before
        before = digits(checkout / "scripts", "export.py", entry.module, entry.facts)
        assert digits(grown, "export.py", entry.module, entry.facts) == before

    watched = code_fingerprint.used_by(
        grown / "train.py", grown / "cellseg", ("cellseg.models.plain.family",)
    )
    names = {path.relative_to(grown / "cellseg").as_posix() for path in watched[:-1]
             if grown / "cellseg" in path.parents}  # fmt: skip
    assert {"models/plain/family.py", "models/keras3/learner.py", "training/loop.py"} <= names
    assert "models/plain/facts.py" not in names
    others = [name for name in names if name.startswith(("models/unet/", "models/panopticnet/"))]
    assert not others and "models/deepcell/family.py" not in names
