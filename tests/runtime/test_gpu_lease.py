"""Real processes that lease the GPUs of a machine with a made-up nvidia-smi."""

import ast
import copy
import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cellseg.errors import UserError
from cellseg.runtime import gpu_lease
from workflow_runner import TINY, Workflow

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
UUIDS = [f"GPU-{number}a2b3c4d-0000-1111-2222-333344445555" for number in range(4)]
TAKE = """
import os, subprocess, sys, time
from cellseg.runtime import gpu_lease
gpu_lease.take(sys.argv[1])
print("sees", os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("CUDA_DEVICE_ORDER"),
      os.environ.get("JAX_PLATFORMS"), flush=True)
"""
STAY = TAKE + "time.sleep(600)\n"
LEAVE_CHILDREN = (
    TAKE
    + """
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
forked = os.fork()
if forked == 0:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    print("forked", flush=True)
    time.sleep(600)
print("children", started.pid, forked, flush=True)
time.sleep(600)
"""
)


class Machine:
    """A machine with GPUs, and the processes that a test starts on it."""

    def __init__(self, folder, uuids):
        self.folder, self.bin, self.locks = folder, folder / "bin", folder / "tmp"
        self.bin.mkdir()
        self.locks.mkdir()
        self.show(uuids)
        self.processes = []

    def show(self, uuids):
        """Let nvidia-smi list these, numbered from 0."""
        lines = "".join(f'echo "{number}, {uuid}"\n' for number, uuid in enumerate(uuids))
        self.answer(lines or 'echo "No devices were found"')

    def answer(self, lines):
        program = self.bin / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{lines}\n")
        program.chmod(0o755)

    def environment(self, **variables):
        kept = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("CUDA_", "SLURM_", "JAX_"))
        }  # fmt: skip
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        ours = {"PATH": path, "TMPDIR": str(self.locks), "PYTHONPATH": str(SCRIPTS)}
        return {**kept, **ours, **variables}

    def start(self, code=STAY, accelerator="gpu", **variables):
        process = subprocess.Popen(
            [sys.executable, "-c", code, accelerator],
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            umask=0o077,
        )
        self.processes.append(process)
        return process

    def run(self, accelerator="gpu", **variables):
        """What a process that ends at once prints."""
        return self.start(TAKE, accelerator, **variables).communicate()[0]

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.fixture
def machine(tmp_path):
    """A machine with two GPUs; its processes end with the test."""
    machine = Machine(tmp_path, UUIDS[:2])
    yield machine
    machine.close()


def _line(process, beginning):
    """The next line of a process that begins so; fails when it ends before."""
    seen = ""
    for line in process.stdout:
        seen += line
        if line.startswith(beginning):
            return line.strip()
    raise AssertionError(f"no line begins with '{beginning}':\n{seen}")


def _seen(process):
    return _line(process, "sees").split()[1]


@pytest.mark.timeout(60)
def test_two_processes_get_a_gpu_each_and_a_third_waits_for_a_killed_one(machine):
    first, second = machine.start(), machine.start()
    seen = {_line(process, "sees"): process for process in (first, second)}
    assert set(seen) == {"sees 0 PCI_BUS_ID None", "sees 1 PCI_BUS_ID None"}
    third = machine.start()
    holder = seen["sees 1 PCI_BUS_ID None"]
    other = seen["sees 0 PCI_BUS_ID None"]
    assert _line(third, "Waiting") == (
        f"Waiting for a GPU. In use: GPU 0 by process {other.pid}, GPU 1 by process {holder.pid}."
    )
    assert third.poll() is None
    holder.send_signal(signal.SIGKILL)
    assert _seen(third) == "1"
    assert other.poll() is None


@pytest.mark.timeout(60)
def test_one_gpu_is_leased_by_one_process_at_a_time(machine):
    machine.show(UUIDS[:1])
    first = machine.start()
    assert _seen(first) == "0"
    second = machine.start()
    assert f"GPU 0 by process {first.pid}." in _line(second, "Waiting")
    first.terminate()
    assert _seen(second) == "0"


@pytest.mark.timeout(60)
def test_children_that_live_longer_do_not_keep_the_lease(machine):
    machine.show(UUIDS[:1])
    first = machine.start(LEAVE_CHILDREN)
    children = []
    try:
        for _ in range(2):  # in either order
            line = _line(first, ("children", "forked"))
            children += [int(word) for word in line.split()[1:]]
        first.kill()
        first.wait()
        for child in children:
            os.kill(child, 0)
        assert len(children) == 2
        assert _seen(machine.start()) == "0"
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


@pytest.mark.timeout(60)
def test_a_gpu_is_known_by_its_uuid_whatever_its_number(machine):
    assert _seen(machine.start()) == "0"
    machine.show(UUIDS[1:] + UUIDS[:1])  # as a container would number them
    by_uuid = machine.start(CUDA_VISIBLE_DEVICES=UUIDS[0][:10])
    assert "Waiting" in _line(by_uuid, "Waiting")
    assert _seen(machine.start(CUDA_VISIBLE_DEVICES=f"3,{UUIDS[1]}")) == UUIDS[1]
    machine.processes[0].kill()
    assert _seen(by_uuid) == UUIDS[0][:10]


@pytest.mark.timeout(60)
def test_only_listed_gpus_are_leased(machine):
    machine.show(UUIDS)
    assert [_seen(machine.start(CUDA_VISIBLE_DEVICES="2,3")) for _ in range(2)] == ["2", "3"]
    third = machine.start(CUDA_VISIBLE_DEVICES="2,3")
    assert re.search(r"GPU 2 by process \d+, GPU 3 by process \d+\.", _line(third, "Waiting"))
    assert _seen(machine.start()) == "0"


@pytest.mark.timeout(60)
def test_without_a_gpu_nothing_changes(machine):
    machine.show([])
    assert machine.run().splitlines()[-1] == "sees None None None"
    assert not list(machine.locks.iterdir())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles"])
def test_hidden_gpus_are_not_leased(machine, value):
    assert machine.run(CUDA_VISIBLE_DEVICES=value).splitlines()[-1] == "sees -1 None cpu"
    assert not list(machine.locks.iterdir())


@pytest.mark.timeout(60)
def test_a_cpu_run_hides_every_gpu_and_leases_none(machine):
    lines = machine.run("cpu").splitlines()
    assert "accelerator: cpu" in lines[0] and lines[-1] == "sees -1 None cpu"
    assert not list(machine.locks.iterdir())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("accelerator", ["cpu", "gpu"])
def test_inside_a_slurm_job_nothing_is_done(machine, accelerator):
    machine.answer(f"touch {machine.folder}/asked")
    job = {"SLURM_JOB_ID": "17", "CUDA_VISIBLE_DEVICES": "5"}
    assert machine.run(accelerator, **job) == "sees 5 None None\n"
    assert not (machine.folder / "asked").exists() and not list(machine.locks.iterdir())


@pytest.mark.timeout(60)
def test_the_lock_file_is_for_all_users_and_tidying_it_away_is_noticed(
    machine, monkeypatch, tmp_path
):
    process = machine.start()
    assert _seen(process) == "0"
    (path,) = machine.locks.iterdir()
    assert UUIDS[0] in path.name and path.read_text() == f"{process.pid}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666

    def tidied(descriptor, operation, flock=fcntl.flock):
        monkeypatch.setattr(fcntl, "flock", flock)
        (tmp_path / "file").unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", tidied)
    descriptor = gpu_lease._lock(tmp_path / "file")
    assert os.path.samestat(os.fstat(descriptor), (tmp_path / "file").stat())
    os.close(descriptor)


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "fifo", "no folder"])
def test_what_is_not_a_lock_file_is_refused(tmp_path, kind):
    victim, path = tmp_path / "victim", tmp_path / "gpu.lock"
    victim.write_text("precious")
    if kind == "symlink":
        path.symlink_to(victim)
    elif kind == "hardlink":
        path.hardlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path = tmp_path / "missing" / "gpu.lock"
    with pytest.raises(UserError, match=re.escape(str(path)) + ".*TMPDIR"):
        gpu_lease._lock(path)
    assert victim.read_text() == "precious"


@pytest.fixture
def here(machine, monkeypatch):
    """This process, on the machine."""
    for name in [name for name in os.environ if name.startswith(("CUDA_", "SLURM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", machine.environment()["PATH"])
    monkeypatch.setattr(gpu_lease, "PROC", machine.folder / "proc")
    return machine


def _in_proc(machine, address, uuid):
    folder = machine.folder / "proc" / address
    folder.mkdir(parents=True)
    text = f"Model: \t\t Some GPU\nIRQ:   \t\t 41\nGPU UUID: \t {uuid}\nDevice Minor: \t 0\n"
    (folder / "information").write_text(text)


def test_a_gpu_that_is_not_there_is_refused(here, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,5")
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES names GPU '5'"):
        gpu_lease.visible()


def test_a_part_of_a_gpu_is_leased_by_its_own_name(here, monkeypatch):
    part = "MIG-11112222-0000-1111-2222-333344445555"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"{part},1,1")
    expected = [gpu_lease.Gpu(part, part), gpu_lease.Gpu("1", UUIDS[1])]
    assert gpu_lease.visible() == expected


@pytest.mark.parametrize("answer", ["exit 9", "exec sleep 600", None])
def test_without_nvidia_smi_the_driver_files_are_read(here, monkeypatch, capsys, answer):
    monkeypatch.setattr(gpu_lease, "NVIDIA_SMI_SECONDS", 0.2)
    if answer is None:
        monkeypatch.setenv("PATH", str(here.locks))
    else:
        here.answer(answer)
    assert gpu_lease.visible() == []
    _in_proc(here, "0000:81:00.0", "GPU-????????-????-????-????-????????????")
    _in_proc(here, "0000:01:00.0", UUIDS[3])
    assert gpu_lease.visible() == [gpu_lease.Gpu("0", UUIDS[3]), gpu_lease.Gpu("1", "1")]
    assert ("nvidia-smi has not answered" in capsys.readouterr().err) == (
        answer == "exec sleep 600"
    )


@pytest.mark.parametrize(
    ("gpus", "variables", "expected"),
    [
        (0, {}, 1),
        (1, {}, 1),
        (4, {}, 4),
        (4, {"CUDA_VISIBLE_DEVICES": "2,3"}, 2),
        (4, {"CUDA_VISIBLE_DEVICES": "0,1,2,3", "SLURM_JOB_ID": "17"}, 1),
    ],
)
def test_how_many_at_a_time(here, monkeypatch, gpus, variables, expected):
    here.show(UUIDS[:gpus])
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert gpu_lease.at_a_time() == expected


@pytest.mark.timeout(120)
def test_nothing_imports_a_library_before_the_lease(machine):
    """What the scripts import before it; and a library that came first is noticed."""
    before = (
        "from cellseg import models\nfrom cellseg.inference import run\n"
        "from cellseg.runtime import script\nfrom cellseg.training import run\n" + TAKE
    )
    printed = machine.start(before).communicate()[0]
    assert printed.splitlines()[-1].startswith("sees 0"), printed
    late = "import sys, types; sys.modules['jax'] = types.ModuleType('jax')\n" + TAKE
    printed = machine.start(late).communicate()[0]
    assert "leased before jax is imported" in printed and "sees" not in printed


def test_every_script_that_computes_with_a_network_takes_its_gpu_first():
    computing = [path for path in SCRIPTS.glob("*.py") if "import models" in path.read_text()]
    assert {"train.py", "predict.py"} <= {path.name for path in computing}
    for path in computing:
        (block,) = (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.With))
        # The few images of an overlay are predicted without a GPU, and a run is exported: such a
        # job asks for none. The starter network is scored as it was trained, on a CPU.
        without = path.stem in ("predict_shown", "export", "ship_starter")
        what = "'cpu'" if without else "snakemake.config['accelerator']"
        lines = [ast.unparse(line) for line in block.body]
        if path.stem == "train":  # what an earlier attempt said of itself is not for the wait
            assert lines.pop(0).startswith("progress_file.remove(")
        assert lines[0] == f"gpu_lease.take({what})", path


STUDY = copy.deepcopy(TINY)  # less of it: one cell type, one epoch, one head, two seeds
STUDY["accelerator"] = "gpu"
STUDY["datasets"]["tiny"].update(cell_types=["BV2"], images={"train": 1, "val": 1, "test": 1})
STUDY["training"].update(epochs=1, precise_batch_norm_batches=1)
STUDY["models"] = {"small": {"family": "unet", "width": 2}}
STUDY["experiments"]["backbones"]["conditions"][0].update(
    model="small", heads="pixelwise", seed=[0, 1]
)
PROFILE = ["--profile", "workflow/profiles/local"]


@pytest.fixture
def workstation(checkout, tmp_path, here, monkeypatch):
    """The tiny study, with two trainings, on the machine."""
    monkeypatch.setenv("TMPDIR", str(here.locks))
    return Workflow.copy(checkout, tmp_path / "checkout", STUDY)


@pytest.mark.parametrize(
    ("gpus", "more", "expected"), [(0, [], 1), (4, [], 4), (4, ["--resources", "gpu=3"], 3)]
)
def test_the_local_profile_counts_the_gpus(workstation, here, gpus, more, expected):
    here.show(UUIDS[:gpus])
    words = "--printshellcmds"  # Snakemake's own
    done = workstation.call(*PROFILE, *more, words, "--", "results/data/tiny/source.json")
    assert done.returncode == 0, done.stdout
    assert re.search(rf"^Provided resources: .*\bgpu\D+{expected}\b", done.stdout, flags=re.M)


def test_trainings_of_the_local_profile_share_no_gpu(workstation):
    runs = [f"results/tiny/runs/small/pixelwise/full/seed-{seed}" for seed in (0, 1)]
    done = workstation.call(
        *PROFILE, "--set-threads", "train=1", "--", *(f"{run}/weights.h5" for run in runs)
    )
    assert done.returncode == 0, done.stdout
    logs = [(workstation.folder / run / "logs/train.log").read_text() for run in runs]
    found = [re.findall(r"^Computing on GPU (\d)\.$", log, flags=re.M) for log in logs]
    assert sorted(found) == [["0"], ["1"]]
