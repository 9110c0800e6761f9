"""Commands whose reader goes, as with `| head`: neither a traceback nor lost work."""

import os
import subprocess
import sys

import pytest

from cellseg.errors import UserError
from cellseg.runtime import command

COMMANDS = {
    "progress": ["scripts/progress.py"],
    "progress as JSON": ["scripts/progress.py", "--json"],
    "print_summary": ["scripts/print_summary.py", "results/nothing"],
    "report": ["scripts/report.py", "--help"],
    "search": ["scripts/search.py", "--help"],
}


def _without_reader(arguments, **options):
    """Run a command whose stdout nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True,
            check=False, **options,
        )  # fmt: skip
    finally:
        os.close(writing)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_ends_in_a_traceback(checkout, name):
    done = _without_reader(COMMANDS[name], cwd=checkout)
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
    assert done.returncode == (1 if "nothing" in COMMANDS[name][-1] else 0)
    if done.returncode:
        assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1


WORK = """
import subprocess, sys
from pathlib import Path
sys.path.insert(0, {scripts!r})
from cellseg.runtime import command, script
with {around}:
    print("one", flush=True)
    print("two" * 100_000, flush=True)
    subprocess.run([sys.executable, "-c", "print('three' * 100_000)"], check={check})
    Path("done").write_text("done")
"""


@pytest.mark.parametrize(
    ("around", "check"), [("command.running()", True), ("script.running('job.log')", False)]
)
def test_work_continues_without_a_reader(checkout, tmp_path, around, check):
    """Of commands, and of jobs: `snakemake all | head` must not end a training."""
    text = WORK.format(scripts=str(checkout / "scripts"), around=around, check=check)
    done = _without_reader(["-c", text], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "done").read_text() == "done" and not done.stderr
    if "script" in around:
        assert (tmp_path / "job.log").read_text() == "one\n" + "two" * 100_000 + "\n"


def test_an_error_of_the_user_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended, command.running():
        raise UserError("the folder x does not exist.")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "Error: the folder x does not exist.\n"
    assert not isinstance(sys.stdout, command.Lasting)
