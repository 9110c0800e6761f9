"""Files appear whole or not at all; scripts keep a log and speak plainly."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cellseg.io import atomic
from cellseg.training import provenance


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_what_a_killed_process_left_is_removed(tmp_path, checkout):
    code = (
        "import os, signal, sys; from cellseg.io import atomic as files\n"
        "with files.replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "table.csv")]
    subprocess.run(command, cwd=checkout / "scripts", check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with atomic.replacing(tmp_path / "table.csv") as temporary:
        temporary.write_text("whole")
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_folders_of_others_stay(tmp_path):
    """Another writer's, another machine's, and a user's that is named alike."""
    path = tmp_path / "weights.h5"
    ended = 2**22 + 1  # more than Linux numbers processes by
    partial = f".weights.h5.partial-elsewhere-{ended}-abcdefgh"
    others = [".weights.h5.backup", partial, ".weights.h5.1"]
    for name in others:
        (tmp_path / name).mkdir()
    with atomic.replacing(path) as slower:
        with atomic.replacing(path) as faster:
            faster.write_text("first")
        slower.write_text("last")
    assert path.read_text() == "last"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*others, path.name])


@pytest.mark.parametrize("name", ["x" * 251 + ".csv", "é" * 125 + ".csv"])
def test_names_as_long_as_a_disk_allows(tmp_path, name):
    with atomic.replacing(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_success_replaces_and_makes_folders(tmp_path):
    path = tmp_path / "new" / "table.csv"
    with atomic.replacing(path) as temporary:
        assert temporary.suffix == ".csv" and not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"


def test_stacks_are_read_array_by_array(tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.zeros((4, 4), np.float16)}
    atomic.write_stack(tmp_path / "stack.npz", arrays.items())
    stack = np.load(tmp_path / "stack.npz")
    assert stack.files == ["a", "b"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(stack[name], array)
        assert stack[name].dtype == array.dtype


def _run(checkout, tmp_path, body, environment=None):
    code = (
        "from cellseg.runtime.script import running\n"
        f"with running({str(tmp_path / 'log')!r}):\n{body}"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout / "scripts",
        env=environment,
        capture_output=True,
        text=True,
    )


def test_what_is_printed_is_in_the_log_too(checkout, tmp_path):
    done = _run(checkout, tmp_path, "    print('step 1', end='\\r'); print('done')\n    print(2)")
    assert done.returncode == 0 and "step 1" in done.stdout
    assert (tmp_path / "log").read_text() == "done\n2\n"


def test_warnings_are_shown_but_for_those_of_autograph_on_python_3_13(checkout, tmp_path):
    body = """    import ast, warnings
    ast.Attribute(odd=1)
    warnings.warn('numpy.old is deprecated', DeprecationWarning)"""
    done = _run(checkout, tmp_path, body)
    assert done.returncode == 0 and "numpy.old is deprecated" in done.stderr
    assert "keyword argument" not in done.stderr


def test_user_errors_come_without_a_traceback(checkout, tmp_path):
    body = "    from cellseg.errors import UserError\n    raise UserError('a.tif is broken')"
    done = _run(checkout, tmp_path, body)
    assert done.returncode == 1
    assert "Error: a.tif is broken" in done.stderr and "Traceback" not in done.stderr
    assert "a.tif is broken" in (tmp_path / "log").read_text()


def test_other_errors_come_with_one_also_in_the_log(checkout, tmp_path):
    done = _run(checkout, tmp_path, "    raise KeyError('surprise')")
    assert done.returncode == 1 and "Traceback" in done.stderr
    assert "KeyError: 'surprise'" in (tmp_path / "log").read_text()


def test_names_cannot_act_on_the_terminal(checkout, tmp_path):
    """Nor stop the job where they have letters that it lacks."""
    name = r"'\x1b]0;gone\x07\u202egpj.a\udcff \xe9.tif'"
    body = "    from cellseg.errors import UserError\n"
    body += f"    print({name})\n    raise UserError({name})"
    environment = {**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = _run(checkout, tmp_path, body, environment)
    shown = r"\x1b]0;gone\x07\u202egpj.a\udcff "
    assert done.stdout == rf"{shown}\xe9.tif" + "\n"
    assert done.stderr == "\n" + rf"Error: {shown}\xe9.tif" + "\n\n"
    assert (tmp_path / "log").read_text("utf-8").startswith(f"{shown}é.tif\n")


def test_provenance_tells_versions_device_and_settings(tmp_path):
    record = provenance.record({"a": 1}, {"tensorflow": "x"}, "cpu", train_tiles=3)
    assert record["versions"]["tensorflow"] == "x" and record["versions"]["numpy"]
    assert record["device"] == "cpu" and record["train_tiles"] == 3
    other = provenance.record({"a": 2}, {}, "cpu")
    assert record["settings_stamp"] != other["settings_stamp"]
    json.dumps(record)


def test_a_stack_is_opened_once_until_it_changes(tmp_path):
    path = tmp_path / "stack.npz"
    atomic.write_stack(path, [("a", np.arange(3))])
    first = atomic.open_stack(path)
    assert atomic.open_stack(str(path)) is first
    atomic.write_stack(path, [("a", np.arange(4))])
    assert atomic.open_stack(path)["a"].tolist() == [0, 1, 2, 3]


def test_threads_read_arrays_of_a_stack_one_at_a_time(tmp_path, monkeypatch):
    """zipfile of Python 3.12 and 3.13 mixes up members that threads open at once."""
    arrays = [(str(number), np.arange(number)) for number in range(9)]
    atomic.write_stack(tmp_path / "a.npz", arrays)
    stack, within, most = atomic.open_stack(tmp_path / "a.npz"), [], []
    read = np.lib.npyio.NpzFile.__getitem__

    def watched(self, name):
        within.append(name)
        most.append(len(within))
        time.sleep(0.002)
        array = read(self, name)
        within.remove(name)
        return array

    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", watched)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(stack.__getitem__, stack.files))
    assert [len(array) for array in found] == list(range(9)) and max(most) == 1
    assert sorted(stack) == sorted(stack.files) and len(stack) == 9
    assert "8" in stack and "9" not in stack
    with pytest.raises(KeyError):
        stack["9"]
