"""A Snakemake process inside of a Slurm job passes SIGTERM on to its script."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PARENT = """
import signal, subprocess, sys
from cellseg.runtime import signals
signals.pass_on_sigterm()
signal.signal(signal.SIGTERM, lambda *_: print("parent", flush=True))  # as Snakemake does, later
sys.exit(subprocess.run(["bash", "-c", f"{sys.executable} child.py; echo after: $?"]).returncode)
"""

CHILD = """
import signal, sys, time
from pathlib import Path
def stop(*_):
    print("child", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
Path("ready").touch()
time.sleep(60)
"""


def test_the_script_below_a_shell_gets_the_signal(checkout, tmp_path):
    for name, text in (("parent.py", PARENT), ("child.py", CHILD)):
        (tmp_path / name).write_text(text)
    parent = subprocess.Popen(
        [sys.executable, "parent.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(checkout) / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "ready").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    parent.send_signal(signal.SIGTERM)
    out, _ = parent.communicate(timeout=30)
    assert sorted(out.splitlines()) == ["after: 7", "child", "parent"]
