"""The rules that need the internet, against a server on this machine."""

import copy
import hashlib
import json

import pytest

from workflow_runner import TINY, Workflow

FOLDER = "results/data/tiny"


@pytest.fixture
def study(published):
    """A study on the published data set, whose model starts from published weights."""
    published.files["weights.h5"] = b"weights"
    study = copy.deepcopy(TINY)
    study["datasets"] = {"tiny": {"kind": "download", "url": published.url + "/", "retries": 0}}
    md5 = hashlib.md5(b"weights").hexdigest()
    study["pretrained"] = {"imagenet": {"url": f"{published.url}/weights.h5", "md5": md5}}
    study["models"]["featurenet"]["weights"] = "imagenet"
    return study


def test_prefetch_brings_images_annotations_and_weights(checkout, tmp_path, study, published):
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    done = workflow.call("prefetch")
    assert done.returncode == 0, done.stdout
    results = workflow.folder / FOLDER
    source = json.loads((results / "source.json").read_text())
    assert sorted(source["annotations"]) == ["test", "train", "val"]
    assert len(list((results / "source/images").rglob("*.tif"))) == 3
    manifest = json.loads((results / "manifest.json").read_text())
    assert "images.zip" in str(manifest)
    assert (workflow.folder / "results/data/pretrained/imagenet.h5").read_bytes() == b"weights"
    # From here on the internet is not needed.
    asked = len(published.requests)
    done = workflow.call(f"{FOLDER}/labels/test.npz")
    assert done.returncode == 0, done.stdout
    assert len(published.requests) == asked
    # Pinning what came redoes nothing; keeping duplicates does.
    study["datasets"]["tiny"]["checksums"] = {"images.zip": "0" * 64}
    workflow.configure(study)
    assert workflow.planned(f"{FOLDER}/labels/test.npz") == {}
    study["datasets"]["tiny"]["duplicates"] = "keep"
    workflow.configure(study)
    assert set(workflow.planned(f"{FOLDER}/labels/test.npz")) == {"parse", "rasterize"}


def test_a_pinned_hash_is_checked(checkout, tmp_path, study):
    study["datasets"]["tiny"]["checksums"] = {"images.zip": "0" * 64}
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    done = workflow.call(f"{FOLDER}/source.json")
    assert done.returncode != 0
    assert "images.zip" in done.stdout and "0" * 64 in done.stdout


def test_a_broken_transfer_goes_on_in_the_next_call(checkout, tmp_path, study, published):
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    published.cut = [100_000]
    assert workflow.call(f"{FOLDER}/source.json").returncode != 0  # no retries
    done = workflow.call(f"{FOLDER}/source.json")
    assert done.returncode == 0, done.stdout
    assert any(asked for _, asked in published.requests)  # a Range, not a second start


def test_weights_that_are_not_the_published_ones_are_refused(checkout, tmp_path, study, published):
    published.files["weights.h5"] = b"something else"
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    done = workflow.call("results/data/pretrained/imagenet.h5")
    assert done.returncode != 0
    assert "the MD5 of what came is" in done.stdout and "imagenet.h5" in done.stdout
    assert not (workflow.folder / "results/data/pretrained/imagenet.h5").exists()


def test_offline_says_what_to_put_where(checkout, tmp_path, study, published):
    study["datasets"]["tiny"]["url"] = "http://127.0.0.1:9/nothing/"
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    done = workflow.call(f"{FOLDER}/source.json")
    assert done.returncode != 0
    assert "http://127.0.0.1:9/nothing/images.zip" in done.stdout
    assert f"{FOLDER}/source/images.zip" in done.stdout


def test_prefetch_fetches_what_it_can_and_lists_the_rest_at_its_end(
    checkout, tmp_path, study, published
):
    """One file of the data set and one of two weight files cannot be had."""
    gone = "annotations/LIVECell/livecell_coco_train.json"
    del published.files[gone]
    nowhere = {"url": "http://127.0.0.1:9/nowhere.h5", "md5": None}
    study["pretrained"] = {"a-missing": nowhere, **study["pretrained"]}
    study["models"]["mobilenetv2"]["weights"] = "a-missing"
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    download = workflow.folder / "scripts/cellseg/io/download.py"
    text = download.read_text()
    download.write_text(text.replace("first_wait: float = 2.0", "first_wait: float = 0.0"))
    done = workflow.call("prefetch", "--cores", "1")
    assert done.returncode != 0
    kept = workflow.folder / FOLDER / "source"
    assert (kept / "annotations/LIVECell/livecell_coco_test.json").is_file()
    assert (kept / "images.zip").is_file() and list((kept / "images").rglob("*.tif"))
    assert (workflow.folder / "results/data/pretrained/imagenet.h5").read_bytes() == b"weights"
    said = done.stdout.rpartition("Not fetched: 2 files.")[2]
    assert said.splitlines()[1:] == [
        f"  {published.url}/{gone}",
        f"    -> {FOLDER}/source/{gone}",
        "  http://127.0.0.1:9/nowhere.h5",
        "    -> results/data/pretrained/a-missing.h5",
    ]


def test_no_network_at_all(checkout, tmp_path, study, published):
    study["datasets"]["tiny"]["url"] = "http://127.0.0.1:9/nothing/"
    study["pretrained"]["imagenet"]["url"] = "http://127.0.0.1:9/weights.h5"
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    download = workflow.folder / "scripts/cellseg/io/download.py"
    text = download.read_text()
    download.write_text(text.replace("first_wait: float = 2.0", "first_wait: float = 0.0"))
    done = workflow.call("prefetch", "--cores", "1")
    assert done.returncode != 0
    said = done.stdout.rpartition("Not fetched: 5 files.")[2].splitlines()[1:]
    assert said[-2:] == [
        "  http://127.0.0.1:9/weights.h5",
        "    -> results/data/pretrained/imagenet.h5",
    ]
    assert len(said) == 10 and f"    -> {FOLDER}/source/images.zip" in said
