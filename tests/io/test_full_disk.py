"""A disk that fills up: no partial file is left, old files are kept, and an error says so."""

import errno
import json
import os
import re
import resource
import subprocess
import sys
import zlib

import pytest

from cellseg.errors import UserError
from cellseg.io import disk_full, download

WRITERS = [
    "simulate", "parse", "rasterize", "tile", "data_report", "predict", "segment", "score", "tune",
    "figure.png", "figure.pdf", "table", "json", "hdf5", "state", "unpack",
]  # fmt: skip
LEARNERS = ["weights", "state", "events"]
REASONS = {"limit": "File too large", "disk": "No space left on device"}


def failures(checkout, folder, where, *family):
    """What every writer did, in a process of its own."""
    done = subprocess.run(
        [sys.executable, checkout / "tests/full_disk_writers.py", folder, where, *family],
        env={**os.environ, "PYTHONPATH": f"{checkout / 'scripts'}:{checkout / 'tests'}"},
        capture_output=True,
        text=True,
    )
    # Not even at its end, when libraries free what they could not write.
    assert done.returncode == 0, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module", params=["limit", pytest.param("disk", marks=pytest.mark.slow)])
def found(request, checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    if request.param == "limit":
        yield request.param, failures(checkout, folder / "work", "limit")
        return
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here; the limit of file sizes is tested")
    try:
        yield request.param, failures(checkout, folder / "work", disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def check(said, reason):
    assert said
    for one in said:
        assert one["kind"] == "UserError", one
        assert one["folder"] in one["message"] or "to unpack" in one["message"], one
        assert reason in one["message"] or "to unpack" in one["message"], one
        assert re.search(r"Free (some )?space.* (and run again|and rerun)\.$", one["message"]), one
        assert one["changed"] == [], one


@pytest.mark.parametrize("writer", WRITERS)
def test_what_was_there_stays_and_nothing_else(found, writer):
    where, said = found
    assert sorted(said) == sorted(WRITERS)
    check(said[writer], REASONS[where])


@pytest.fixture(scope="module", params=["deepcell", "panopticnet"])
def learner(request, checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("full") / "work"
    return failures(checkout, folder, "limit", request.param)


@pytest.mark.parametrize("writer", LEARNERS)
def test_a_training_ends_with_its_last_state(learner, writer):
    check(learner[writer], REASONS["limit"])


def limited(size):
    """For a child process: no file of it may grow beyond `size` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def run(checkout, folder, size, body):
    """A rule script in short, with `folder` in it, under a limit of file sizes."""
    code = (
        "from pathlib import Path\nfrom cellseg.io import atomic\n"
        "from cellseg.runtime.script import running\n"
        f"folder = Path({str(folder)!r})\nwith running(folder / 'log'):\n    {body}\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout / "scripts",
        capture_output=True,
        text=True,
        preexec_fn=limited(size),
    )


def test_a_script_ends_with_the_message_and_no_traceback(checkout, tmp_path):
    """Its log, which is on the same disk, cannot hold the message."""
    done = run(checkout, tmp_path, 10, "atomic.write_json(folder / 'a.json', 'x' * 9999)")
    assert done.returncode == 1
    assert f"Error: {tmp_path / 'a.json'} cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]


def test_a_full_disk_elsewhere_is_told_as_plainly(checkout, tmp_path):
    done = run(checkout, tmp_path, 10, "(folder / 'cache').write_text('x' * 99)")
    assert done.returncode == 1
    assert "File too large" in done.stderr and "Traceback" not in done.stderr


def test_no_work_fails_for_want_of_its_log(checkout, tmp_path):
    done = run(checkout, tmp_path, 20, "print('x' * 99); atomic.write_json(folder / 'a.json', 1)")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.json").read_text() == "1\n"
    assert done.stdout == "x" * 99 + "\n"


def test_a_broken_transfer_keeps_what_came(server, tmp_path):
    server.files["a.zip"] = os.urandom(300_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(UserError, match=r"a\.zip\.part cannot be written: File too large"):
            download.fetch_file(f"{server.url}/a.zip", tmp_path / "a.zip", first_wait=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "a.zip").exists()
    download.fetch_file(f"{server.url}/a.zip", tmp_path / "a.zip", first_wait=0)
    assert (tmp_path / "a.zip").read_bytes() == server.files["a.zip"]
    assert server.requests[-1][1] is not None  # it went on where it stopped
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_full_disk_is_known_by_number_text_and_cause():
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        assert disk_full.reason(OSError(number, "any")) == os.strerror(number)
        assert disk_full.reason(RuntimeError(f"x; {os.strerror(number)} [Op]"))
    assert disk_full.reason(OSError(errno.EACCES, "no")) is None
    assert disk_full.reason(ValueError("a")) is None
    try:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError:
            raise zlib.error("inconsistent stream state") from None
    except zlib.error as error:
        assert disk_full.reason(error)


def test_other_errors_pass(tmp_path):
    with pytest.raises(KeyError), disk_full.explained(tmp_path / "a"):
        raise KeyError("a")


def test_the_first_file_that_failed_is_named(tmp_path):
    with pytest.raises(UserError, match="first"), disk_full.explained(tmp_path / "second"):
        try:
            raise UserError("first cannot be written")
        finally:
            raise OSError(errno.ENOSPC, "while closing")
