"""The starter network as it is shipped, against its card."""

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

import small_training
from cellseg import starter
from cellseg.errors import UserError
from cellseg.export import starter_card
from cellseg.study import runs
from cellseg.study.validation import resolve

CARD = starter.card()
WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


@pytest.fixture(scope="module")
def family():
    with small_training.in_this_process("unet") as family:
        yield family


def _read(name: str) -> bytes:
    with zipfile.ZipFile(starter.FILE) as archive:
        return archive.read(name)


def test_the_file_is_that_of_the_card_and_small():
    content = starter.FILE.read_bytes()
    assert hashlib.sha256(content).hexdigest() == CARD["sha256"]
    assert len(content) == CARD["bytes"] <= starter_card.LARGEST


def test_it_was_trained_on_simulated_images_alone_and_is_free():
    origin, provenance = (json.loads(_read(f"{name}.json")) for name in ("origin", "provenance"))
    settings = json.loads(_read("settings.json"))
    assert origin["kind"] == "simulated" and origin["pixel_size"] == CARD["pixel_size"]
    assert not provenance.get("started_from") and not settings["model"].get("weights")
    assert len(provenance["train_images"]) > 100
    assert yaml.safe_load(_read("rdf.yaml"))["license"] == CARD["licence"] == "MIT"
    assert "simulated by livecell-bench" in _read("README.md").decode()


def test_the_study_makes_this_network():
    """What `make starter` trains has the settings of the shipped file."""
    schema = yaml.safe_load((WORKFLOW / "schemas/config.schema.yaml").read_text(encoding="utf-8"))
    config = yaml.safe_load((WORKFLOW / "studies/starter.yaml").read_text(encoding="utf-8"))
    study = resolve(config, schema)
    [run] = runs.runs_of(study, "starter")
    expected = runs.run_settings(study, run.model, run.heads, run.subset, run.seed)
    settings = json.loads(_read("settings.json"))
    for part in ("model", "heads", "tiling", "training"):
        assert settings[part] == expected[part]
    prediction = json.loads(_read("segmentation.json"))["prediction"]
    assert prediction["window"] == study["prediction"]["window"]
    dataset = config["datasets"][config["dataset"]]
    assert dataset["variation"] == CARD["variation"]
    assert dataset["pixel_size"] == CARD["pixel_size"]


def test_its_scores_on_fresh_frames_are_those_of_the_card(family, tmp_path):
    pictures = list(starter_card.fresh(CARD["variation"]))[::3]
    found = starter_card.scores(starter.FILE, pictures, lambda model: family, tmp_path)
    expected = {row["name"]: row for row in CARD["simulated_images"]}
    assert len(found) == 6
    for row in found:
        assert row["n_true"] == expected[row["name"]]["n_true"]
    for key in ("msa", "f1_50"):
        said = starter_card.mean([expected[row["name"]] for row in found], key)
        assert starter_card.mean(found, key) == pytest.approx(said, abs=0.02)
        assert said > 0.2


def test_its_scores_on_real_images_are_those_of_the_card(family, tmp_path, livecell_mini):
    pictures = [one for one in starter_card.real(livecell_mini) if one.split == "test"]
    found = starter_card.scores(starter.FILE, pictures, lambda model: family, tmp_path)
    assert len(found) == 4
    for key, value in CARD["livecell_mini_test"].items():
        assert starter_card.mean(found, key) == pytest.approx(value, abs=0.01)


def test_shipping_writes_file_and_card(family, tmp_path, monkeypatch):
    frames = [one for one in starter_card.fresh(CARD["variation"]) if one.cell_type == "BV2"]
    monkeypatch.setattr(starter_card, "fresh", lambda settings: frames)
    export = tmp_path / "export.zip"
    with zipfile.ZipFile(export, "w") as archive:
        for name in ("weights.h5", "settings.json", "segmentation.json"):
            archive.writestr(name, _read(name))
    monkeypatch.setattr(starter, "FILE", tmp_path / "starter.zip")
    monkeypatch.setattr(starter, "CARD", tmp_path / "card.json")
    (tmp_path / "read").mkdir()
    given = CARD["variation"], 0.5, lambda model: family, tmp_path / "read"
    card = starter_card.ship(export, *given)
    assert (tmp_path / "starter.zip").read_bytes() == export.read_bytes()
    assert starter.card() == card and card["pixel_size"] == 0.5
    assert card["sha256"] == hashlib.sha256(export.read_bytes()).hexdigest()
    assert len(card["simulated_images"]) == 2 and np.isfinite(card["simulated"]["msa"])
    monkeypatch.setattr(starter_card, "LARGEST", 1000)
    with pytest.raises(UserError, match="Train a smaller network"):
        starter_card.ship(export, *given)
