"""Folders that Snakemake cannot run scripts in are refused; all others are not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.shell import shell
from snakemake.utils import format as as_pattern

from cellseg.errors import UserError
from cellseg.runtime import checkout_path
from workflow_runner import TINY, Workflow

BREAKS = ["my projects", "it's", 'a"b', "a$b", "a`b", "a;b", "a(b", "a)b", "a*b", "a?b", "a[12]b",
          "a{b}", "a{1,2}b", "a}b", "a\\b", "a|b", "a&b", "a<b", "a>b", "a\nb", "a\tb",
          "a\udce9b"]  # fmt: skip
WORKS = ["plain", "a]b", "a#b", "!a", "a^b", "~a", "a%sb", "a=b", "a,b", "a@b", "a+b", "-a", "a:b",
         "Zürich", "实验", "a\u00a0b", "a\rb"]  # fmt: skip


@pytest.mark.parametrize("name", [*BREAKS, *WORKS])
def test_exactly_what_breaks_is_refused(tmp_path, name):
    """The three ways in which Snakemake uses a path: in the shell, as a pattern, in its log."""
    for folder in ("a1b", name):  # the first is what a[12]b, as a pattern, is
        python = tmp_path / folder / ".venv" / "bin" / "python"
        python.parents[2].mkdir()
        python.parents[1].symlink_to(sys.prefix, target_is_directory=True)
    script = tmp_path / "write.py"
    out = tmp_path / "out"
    script.write_text(f"import sys\nopen({str(out)!r}, 'w', newline='').write(sys.executable)\n")
    try:
        shell("{py_exec} {fname:q}", py_exec=str(python), fname=str(script))
        works = out.read_bytes().decode() == as_pattern(str(python)) == str(python)
        str(python).encode()
    except (subprocess.CalledProcessError, NameError, ValueError, OSError):
        works = False
    assert works == (name in WORKS)
    if works:
        checkout_path.check(str(python), str(python.parents[2]))
    else:
        with pytest.raises(UserError, match="Rename the folder") as refused:
            checkout_path.check(str(python), "/")
        assert str(refused.value).isprintable()


def test_only_braces_matter_where_python_lies_elsewhere():
    checkout_path.check(sys.executable, "/home/somebody/my projects")
    with pytest.raises(UserError, match=r"with \{"):
        checkout_path.check(sys.executable, "/home/somebody/{mine}")


@pytest.mark.parametrize(("name", "said"), [("my projects", "a space"), ("it's", "an apostrophe")])
def test_the_workflow_says_it_in_one_line(checkout, tmp_path, name, said):
    workflow = Workflow.copy(checkout, tmp_path / name, TINY)
    python = workflow.folder / ".venv/bin/python"
    python.parents[1].symlink_to(sys.prefix, target_is_directory=True)
    done = workflow.call("--dry-run", python=str(python))
    assert done.returncode != 0
    lines = [line for line in done.stdout.splitlines() if said in line]
    assert len(lines) == 1 and "Traceback" not in done.stdout, done.stdout
    assert workflow.call("--dry-run", "--quiet").returncode == 0  # by a Python elsewhere


@pytest.mark.parametrize("name", [*BREAKS, "a:b", "plain"])
def test_make_asks_before_it_installs(checkout, name):
    """The standard library is enough."""
    folder = Path("/home/somebody") / name
    done = subprocess.run(
        [sys.executable, "-S", "-m", "cellseg.runtime.checkout_path", os.fsencode(folder)],
        env={"PYTHONPATH": str(checkout / "scripts")},
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) == (name == "plain")
    assert done.stderr.count("\n") == (name != "plain"), done.stderr
