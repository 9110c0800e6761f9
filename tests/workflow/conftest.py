"""Fixtures of tests that call Snakemake."""

import pytest


@pytest.fixture
def sinfo(tmp_path, monkeypatch):
    """Nodes of a cluster: partitions `cpu` (by default) and `gpu`, of 8 GB unless written again."""
    command = tmp_path / "bin/sinfo"
    command.parent.mkdir()
    monkeypatch.setenv("PATH", str(command.parent), prepend=":")

    def write(*lines: str) -> None:
        command.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
        command.chmod(0o755)

    write("cpu*|8000", "gpu|8000")
    # Snakemake's plug-in for Slurm looks for it where there is sinfo, and does not start without.
    queue = command.with_name("squeue")
    queue.write_text("#!/bin/sh\n")
    queue.chmod(0o755)
    return write
