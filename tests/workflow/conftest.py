"""Fixtures of tests that call Snakemake."""

import pytest


@pytest.fixture
def sinfo(tmp_path, monkeypatch):
    """Nodes of a cluster: partitions `cpu` (by default) and `gpu`, of 8 GB unless written again."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def write(*lines: str, name: str = "sinfo") -> None:
        command = folder / name
        command.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
        command.chmod(0o755)

    write("cpu*|8000", "gpu|8000")
    # Snakemake's plug-in for Slurm looks for it where there is sinfo, and does not start without.
    write(name="squeue")
    return write
