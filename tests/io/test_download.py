"""Fetching LIVECell from a server on this machine, with everything that can go wrong on the way."""

import contextlib
import json
import zipfile

import numpy as np
import pytest

import livecell_server
from cellseg.data import annotations, livecell, livecell_files, sources
from cellseg.errors import UserError
from cellseg.io import download, unzip
from livecell_server import sha256, zipped

FILES = livecell_files.ANNOTATIONS["whole"]


@pytest.fixture
def fetch(server, tmp_path):
    """Fetches the data set into tmp_path / "set" without waiting between attempts."""

    def run(**changed):
        arguments = {
            "base_url": server.url,
            "files": FILES,
            "folder": tmp_path / "set",
            "manifest": tmp_path / "manifest.json",
            "retries": 2,
            "first_wait": 0,
        }
        livecell.fetch_dataset(**(arguments | changed))

    return run


def test_fresh_download(published, fetch, tmp_path, capsys):
    fetch()
    folder = tmp_path / "set"
    assert len(list((folder / "images").rglob("*.tif"))) == 3
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert list(manifest) == [*FILES, "images.zip"]
    for name, content in published.files.items():
        entry = {"url": f"{published.url}/{name}", "size": len(content), "sha256": sha256(content)}
        assert manifest[name] == entry
        assert (folder / name).read_bytes() == content
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["annotations", "images", "images.zip"]  # no part, no temporary folder
    assert "100% of" in capsys.readouterr().err

    # the chain continues here
    annotations.parse(sources.official_layout("livecell", folder), tmp_path / "tables")
    assert (tmp_path / "tables" / "test.cells.parquet").exists()


def test_second_run_asks_nothing_of_the_server(published, fetch):
    fetch()
    asked = len(published.requests)
    fetch()
    assert len(published.requests) == asked == 4


def test_broken_transfer_goes_on_within_a_run(published, fetch, tmp_path):
    published.cut = [70_000, 70_000]
    fetch()
    (first, *others) = [asked for name, asked in published.requests if name == FILES[0]]
    assert first is None and len(others) == 2
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in others]
    assert 0 < starts[0] <= 70_000 and starts[0] < starts[1] <= 140_000
    assert (tmp_path / "set" / FILES[0]).read_bytes() == published.files[FILES[0]]


def test_broken_transfer_goes_on_in_the_next_run(published, fetch, tmp_path):
    published.cut = [100_000]
    with pytest.raises(UserError, match="broke off"):
        fetch(retries=0)
    part = tmp_path / "set" / f"{FILES[0]}.part"
    have = part.stat().st_size
    assert 0 < have <= 100_000
    fetch()
    assert [asked for name, asked in published.requests if name == FILES[0]] == [
        None, f"bytes={have}-"
    ]  # fmt: skip
    assert (tmp_path / "set" / FILES[0]).read_bytes() == published.files[FILES[0]]
    assert not part.exists()


def test_a_file_that_changed_meanwhile_starts_over(published, fetch, tmp_path):
    published.cut = [100_000]
    with pytest.raises(UserError):
        fetch(retries=0)
    changed = json.dumps({"images": [], "annotations": [], "info": "y" * 300_000}).encode()
    published.files[FILES[0]] = changed
    fetch()
    assert (tmp_path / "set" / FILES[0]).read_bytes() == changed


def test_server_that_cannot_continue_starts_over(published, fetch, tmp_path):
    published.ranges = False
    published.cut = [100_000]
    fetch()
    assert [asked for _, asked in published.requests] == [None] * 5
    assert (tmp_path / "set" / FILES[0]).read_bytes() == published.files[FILES[0]]


def test_an_answer_shorter_than_the_rest_of_the_file_is_no_end(published, tmp_path):
    """Complete as an answer, which says that the file has more bytes."""
    published.cut, published.short = [100_000], [None, 1000]
    path = tmp_path / "a.json"
    download.fetch_file(f"{published.url}/{FILES[0]}", path, first_wait=0)
    assert path.read_bytes() == published.files[FILES[0]]
    first, second, third = [asked for _, asked in published.requests]
    have = int(second.removeprefix("bytes=").removesuffix("-"))
    assert first is None and third == f"bytes={have + 1000}-"


@pytest.mark.parametrize("dated", [True, False])
def test_a_weak_tag_does_not_continue_a_transfer(published, tmp_path, dated):
    """It means the same content, not the same bytes; a date does for If-Range."""
    published.weak, published.dated = True, dated
    published.cut = [100_000]
    path = tmp_path / "a.json"
    download.fetch_file(f"{published.url}/{FILES[0]}", path, first_wait=0)
    assert path.read_bytes() == published.files[FILES[0]]
    (_, first), (_, second) = published.requests
    assert first is None and bool(second) == dated
    assert published.conditions == [None, livecell_server.DATE if dated else None]


def test_a_broken_transfer_is_taken_up_as_often_as_the_retries_say(published, tmp_path):
    published.answers = [503] * 10
    with pytest.raises(UserError, match="503"):
        download.fetch_file(f"{published.url}/images.zip", tmp_path / "a", retries=3, first_wait=0)
    assert len(published.requests) == 4


def test_part_that_is_complete_already(published, tmp_path):
    content = published.files["images.zip"]
    (tmp_path / "a.zip.part").write_bytes(content)
    (tmp_path / "a.zip.part.etag").write_text(f'"{sha256(content)}"')
    download.fetch_file(f"{published.url}/images.zip", tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]


def test_part_that_is_longer_than_the_file(published, tmp_path):
    content = published.files["images.zip"]
    (tmp_path / "a.zip.part").write_bytes(content + b"more")
    (tmp_path / "a.zip.part.etag").write_text(f'"{sha256(content)}"')
    download.fetch_file(f"{published.url}/images.zip", tmp_path / "a.zip", first_wait=0)
    assert (tmp_path / "a.zip").read_bytes() == content


def test_busy_server_is_asked_again(published, fetch, tmp_path):
    published.answers = [503, 429]
    fetch()
    assert (tmp_path / "set" / "images").is_dir()


def test_a_server_that_sends_the_first_bytes_for_ever_is_given_up(published, tmp_path):
    published.first_bytes_only = True
    with pytest.raises(UserError, match="cannot be fetched"):
        download.fetch_file(
            f"{published.url}/images.zip", tmp_path / "a.zip", retries=3, first_wait=0
        )
    assert len(published.requests) <= 6


def test_file_that_the_server_lacks_is_not_asked_for_again(published, fetch):
    del published.files[FILES[1]]
    with pytest.raises(UserError, match=r"val\.json cannot be fetched \(the server says 404"):
        fetch()
    names = [name for name, _ in published.requests]
    assert names.count(FILES[1]) == 1 and len(names) == 4  # the others are fetched


def test_offline_says_what_to_put_where(fetch, tmp_path):
    offline = "http://127.0.0.1:9/set/"  # nothing listens on the discard port
    with pytest.raises(UserError, match="no connection") as caught:
        fetch(base_url=offline, retries=1)
    message = str(caught.value)
    for name in (*FILES, "images.zip"):
        assert f"{offline}{name}\n    -> {tmp_path / 'set' / name}" in message


def test_files_put_there_by_hand_are_accepted(published, fetch, tmp_path):
    for name, content in published.files.items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    fetch(base_url="http://127.0.0.1:9/set")
    assert len(list((tmp_path / "set" / "images").rglob("*.tif"))) == 3
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["images.zip"]["sha256"] == sha256(published.files["images.zip"])


def test_images_unpacked_by_hand_need_no_archive(published, fetch, tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "images" / "a.tif").touch()
    fetch()
    assert "images.zip" not in [name for name, _ in published.requests]


def test_archive_deleted_after_unpacking_is_not_fetched_again(published, fetch, tmp_path):
    fetch()
    (tmp_path / "set" / "images.zip").unlink()
    fetch()
    assert len(published.requests) == 4
    next((tmp_path / "set" / "images").rglob("*.tif")).unlink()
    fetch()  # but it is when an image lacks
    assert len(published.requests) == 5
    assert len(list((tmp_path / "set" / "images").rglob("*.tif"))) == 3


def test_wrong_pinned_hash(published, fetch, tmp_path):
    with pytest.raises(UserError) as caught:
        fetch(checksums={FILES[2]: "0" * 64})
    message = str(caught.value)
    got = sha256(published.files[FILES[2]])
    assert "livecell_coco_test.json" in message and "0" * 64 in message and got in message
    assert (tmp_path / "set" / f"{FILES[2]}.bad").read_bytes() == published.files[FILES[2]]
    assert not (tmp_path / "set" / FILES[2]).exists()
    assert FILES[2] not in json.loads((tmp_path / "manifest.json").read_text())


def test_checksum_of_no_file(published, fetch):
    with pytest.raises(UserError, match=r"'imagse\.zip'"):
        fetch(checksums={"imagse.zip": "0" * 64})


@pytest.mark.parametrize("content", ["", '{"images.zip": ', "[1]", '{"images.zip": {}}'])
def test_broken_manifest(published, fetch, tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UserError, match=r"manifest\.json is no list of files"):
        fetch()
    assert published.requests == []


def test_file_that_differs_from_the_first_download(published, fetch, tmp_path):
    fetch()
    path = tmp_path / "set" / FILES[0]
    path.write_bytes(published.files[FILES[1]])
    with pytest.raises(UserError, match="manifest"):
        fetch()
    fetch()  # the bad file is out of the way, the good one is fetched
    assert path.read_bytes() == published.files[FILES[0]]


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9999])
def test_truncated_json(published, fetch, tmp_path, keep):
    content = published.files[FILES[1]]
    published.files[FILES[1]] = content[: int(len(content) * keep)]
    with pytest.raises(UserError, match=r"val\.json is no complete JSON"):
        fetch()
    assert (tmp_path / "set" / f"{FILES[1]}.bad").is_file()
    assert not (tmp_path / "set" / FILES[1]).exists()


def corrupted(archive: bytes) -> bytes:
    """The same archive with some bytes of its first image overwritten."""
    return archive[:500] + bytes(20) + archive[520:]


@pytest.mark.parametrize("spoil", [corrupted, lambda archive: archive[:-300]])
def test_corrupt_archive(published, fetch, tmp_path, spoil):
    good = published.files["images.zip"]
    published.files["images.zip"] = spoil(good)
    with pytest.raises(UserError, match=r"broken zip archive .* images\.zip\.bad"):
        fetch()
    assert not (tmp_path / "set" / "images").exists()
    assert "images.zip" not in json.loads((tmp_path / "manifest.json").read_text())
    published.files["images.zip"] = good
    fetch()
    assert len(list((tmp_path / "set" / "images").rglob("*.tif"))) == 3


COMPRESSIONS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_members_that_are_damaged_in_any_compression(tmp_path, compression):
    content = np.random.default_rng(0).integers(0, 9, 4000, np.uint8).tobytes()
    with zipfile.ZipFile(tmp_path / "good.zip", "w", compression) as archive:
        archive.writestr("images/a.tif", content)
    good = (tmp_path / "good.zip").read_bytes()
    for place in range(0, len(good), max(1, len(good) // 60)):
        spoilt = bytearray(good)
        spoilt[place : place + 3] = b"\xff\x00\xa5"
        (tmp_path / "a.zip").write_bytes(spoilt)
        with contextlib.suppress(UserError):  # or the damage is where nothing lies
            unzip.unpack(tmp_path / "a.zip", tmp_path / "images", str(place))
            for path in (tmp_path / "images").rglob("*.tif"):
                assert path.read_bytes() == content


@pytest.mark.parametrize(
    "name", ["../evil.txt", "images/../../evil.txt", "/evil.txt", "..\\evil.txt", "C:\\evil.txt"]
)
def test_archive_that_would_write_elsewhere(published, fetch, tmp_path, name):
    published.files["images.zip"] = zipped({"images/a.tif": b"", name: b"evil"})
    with pytest.raises(UserError, match="outside the folder"):
        fetch()
    assert not list(tmp_path.rglob("*evil*"))
    assert not (tmp_path / "set" / "images").exists()


def test_archive_with_a_link(tmp_path):
    link = zipfile.ZipInfo("images/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc")
    with pytest.raises(UserError, match="is a link"):
        unzip.unpack(tmp_path / "a.zip", tmp_path / "images", "any")


def test_archive_without_an_outer_folder(tmp_path):
    (tmp_path / "a.zip").write_bytes(
        zipped({"A172/a.tif": b"1", "BV2/b.tif": b"2", "__MACOSX/A172/._a.tif": b"3"})
    )
    unzip.unpack(tmp_path / "a.zip", tmp_path / "images", "hash")
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.tif"))
    assert found == ["images/A172/a.tif", "images/BV2/b.tif"]


def test_another_archive_replaces_the_folder(tmp_path):
    for name in ("first", "second"):
        (tmp_path / "a.zip").write_bytes(zipped({f"images/{name}.tif": b"1"}))
        unzip.unpack(tmp_path / "a.zip", tmp_path / "images", sha256(name.encode()))
    assert [path.name for path in (tmp_path / "images").glob("*.tif")] == ["second.tif"]


def test_archive_larger_than_the_disk(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped({"images/a.tif": bytes(100)}))
    usage = unzip.shutil.disk_usage(tmp_path)._replace(free=99)
    monkeypatch.setattr(unzip.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match="Free some space"):
        unzip.unpack(tmp_path / "a.zip", tmp_path / "images", "any")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]


def test_names_outside_the_folder_are_refused(fetch):
    with pytest.raises(UserError, match="below the base URL"):
        fetch(files=["../secret.json"])


def test_one_file_with_its_hash(published, tmp_path):
    content = published.files["images.zip"]
    entry = download.fetch_file(
        f"{published.url}/images.zip", tmp_path / "weights.h5", sha256=sha256(content).upper()
    )
    assert entry["size"] == len(content)
    with pytest.raises(UserError, match="expected SHA-256"):
        download.fetch_file(f"{published.url}/images.zip", tmp_path / "weights.h5", sha256="0" * 64)
    assert (tmp_path / "weights.h5.bad").is_file()


def test_address_without_sense(tmp_path):
    with pytest.raises(UserError, match="cannot be fetched"):
        download.fetch_file("nonsense", tmp_path / "a", first_wait=60)
