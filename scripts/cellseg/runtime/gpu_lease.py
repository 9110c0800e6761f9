"""One GPU for each process, on a machine where nothing else hands them out.

Snakemake counts GPUs and gives no job a number, so that all jobs would compute on the first one. A
process therefore leases a GPU before it imports a deep-learning library, and shows it that one
alone. The lease is a lock (``flock``) on a file of the GPU in the folder for temporary files, where
processes of all checkouts and users meet. The kernel drops it when the process ends, in whatever
way. Inside a Slurm job nothing is done: there Slurm has handed out the GPU.

Neither nvidia-ml-py nor filelock would do here. A driver that hangs also hangs a process that calls
its library; ``nvidia-smi`` can be left behind. A lock of filelock does not say who holds it, and a
lease names the process that it waits for.
"""

import fcntl
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cellseg.errors import UserError

LIBRARIES = ("jax", "keras", "tensorflow", "tf_keras", "torch")
PROC = Path("/proc/driver/nvidia/gpus")
NVIDIA_SMI_SECONDS = 30
"""How long nvidia-smi may take: it first wakes each GPU that no process keeps awake."""
POLL_SECONDS = 0.5

_leases: list[int] = []  # descriptors of locked files, open until the process ends


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes
    ----------
    name : what CUDA_VISIBLE_DEVICES calls it: the number that nvidia-smi shows, or a UUID
    identity : the UUID where it is known, whatever the number; processes that number GPUs in
        different ways lock the same file by it
    """

    name: str
    identity: str


def take(accelerator: str) -> None:
    """Lease a GPU for the rest of this process and hide all others; wait while all are taken.

    Sets ``CUDA_VISIBLE_DEVICES`` and ``CUDA_DEVICE_ORDER``. Where there is no NVIDIA GPU it changes
    nothing, and inside a Slurm job neither.

    Parameters
    ----------
    accelerator : ``gpu``, or ``cpu`` to hide every GPU and lease none

    Raises
    ------
    UserError
        CUDA_VISIBLE_DEVICES names a GPU that is not there, or a lock file cannot be used.
    RuntimeError
        A deep-learning library is imported already, which may have taken a GPU.
    """
    if "SLURM_JOB_ID" in os.environ:
        return
    if loaded := [name for name in LIBRARIES if name in sys.modules]:
        raise RuntimeError(f"a GPU must be leased before {', '.join(loaded)} is imported")
    if accelerator == "cpu":
        if _of_driver():
            print("`accelerator: cpu` in the config: the GPUs of this machine are not used.")
        _hide_all()
        return
    gpus = visible()
    if not gpus:
        print("No NVIDIA GPU to use: computing without.", flush=True)
        if "CUDA_VISIBLE_DEVICES" in os.environ:
            _hide_all()
        return
    gpu = _wait_for_one(gpus)
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # the order of nvidia-smi
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu.name
    print(f"Computing on GPU {gpu.name}.", flush=True)


def at_a_time() -> int:
    """How many processes that lease a GPU can compute at a time: one for each, and one without any.

    Inside a Slurm job one, because there no GPU is leased.
    """
    return 1 if "SLURM_JOB_ID" in os.environ else max(1, len(visible()))


def visible() -> list[Gpu]:
    """GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, or all that the driver shows.

    Numbers in CUDA_VISIBLE_DEVICES are taken as those of nvidia-smi.

    Raises
    ------
    UserError
        CUDA_VISIBLE_DEVICES names a GPU that the driver does not show.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return _of_driver()
    names = []
    for name in listed.split(","):
        if name.strip() in ("", "-1", "NoDevFiles"):
            break  # CUDA reads no further either; NoDevFiles is what schedulers write for none
        names.append(name.strip())
    shown = _of_driver() if names else []
    return list({gpu.identity: gpu for gpu in (_named(name, shown) for name in names)}.values())


def _named(name: str, shown: list[Gpu]) -> Gpu:
    """The GPU that CUDA_VISIBLE_DEVICES calls `name`; a UUID may be cut short."""
    if name.startswith("MIG-") or not shown:
        return Gpu(name, name)
    for gpu in shown:
        if name == gpu.name or (name.startswith("GPU-") and gpu.identity.startswith(name)):
            return Gpu(name, gpu.identity)
    there = ", ".join(f"{gpu.name} ({gpu.identity})" for gpu in shown)
    raise UserError(
        f"the environment variable CUDA_VISIBLE_DEVICES names GPU '{name}', and this machine has "
        f"{there}. Name one of these, or unset it."
    )


def _of_driver() -> list[Gpu]:
    """All GPUs of this machine, in the order of their places on the bus."""
    answer = _nvidia_smi()
    if answer is not None:
        pairs = re.findall(r"^\s*(\d+)\s*,\s*(GPU-[\w-]+)\s*$", answer, flags=re.M)
        return [Gpu(name, uuid) for name, uuid in pairs]
    gpus = []
    for number, path in enumerate(sorted(PROC.glob("*/information"))):
        # Before the GPU was first used the driver may write question marks for its UUID.
        uuid = re.search(
            r"^GPU UUID:\s*(GPU-[\w-]+)\s*$", path.read_text(encoding="utf-8"), flags=re.M
        )
        gpus.append(Gpu(str(number), uuid[1] if uuid else str(number)))
    return gpus


def _nvidia_smi() -> str | None:
    """What nvidia-smi lists; None where it is missing, fails or hangs."""
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        return None
    try:
        answer, _ = process.communicate(timeout=NVIDIA_SMI_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"nvidia-smi has not answered in {NVIDIA_SMI_SECONDS} s.", file=sys.stderr)
        process.kill()
        process.stdout.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)  # no longer: where the driver hangs, not even a kill ends it
        return None
    return answer if process.returncode == 0 else None


def _hide_all() -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["JAX_PLATFORMS"] = "cpu"  # with CUDA's plugin and no GPU, JAX fails


def _wait_for_one(gpus: list[Gpu]) -> Gpu:
    """Lease the first free GPU, as soon as there is one."""
    said = False
    while True:
        for gpu in gpus:
            descriptor = _lock(_lock_file(gpu))
            if descriptor is not None:
                _leases.append(descriptor)
                return gpu
        if not said:
            holders = ", ".join(f"GPU {gpu.name} by process {_holder(gpu)}" for gpu in gpus)
            print(f"Waiting for a GPU. In use: {holders}.", flush=True)
            said = True
        time.sleep(POLL_SECONDS)


def _lock_file(gpu: Gpu) -> Path:
    name = re.sub(r"[^\w-]", "_", gpu.identity)
    return Path(tempfile.gettempdir()) / f"livecell-bench-gpu-{name}.lock"


def _lock(path: Path) -> int | None:
    """Descriptor of the locked file, with this process's id in it; None when another has it.

    The file is never removed: who had opened it before would lock what nobody else finds.
    """
    try:
        while True:
            descriptor = _open(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, descriptor):
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # tidied away before it was locked
    except OSError as error:
        raise UserError(
            f"the lock file {path} of a GPU cannot be used: {error.strerror}. Remove it, or set "
            "TMPDIR to a folder that all who compute on this machine can write to."
        ) from None


def _open(path: Path) -> int:
    """Open a lock file for reading and writing, made where it is missing.

    Anyone can put something of that name into the folder: links are not followed, and only a plain
    file with this one name is taken. Processes that are started do not inherit the descriptor.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        try:
            descriptor = os.open(path, flags)
            break
        except FileNotFoundError:
            pass
        # Two steps, because Linux refuses O_CREAT on the file of another user in such a folder.
        mask = os.umask(0)  # others must be able to lock it, and to write their id
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            break
        except FileExistsError:
            pass
        finally:
            os.umask(mask)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise OSError(0, "it is not a plain file with one name")
    return descriptor


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(gpu: Gpu) -> str:
    """Id of the process that wrote it into the lock file last."""
    try:
        descriptor = os.open(_lock_file(gpu), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "unknown"
    try:
        text = os.read(descriptor, 20).decode(errors="replace").strip()
    finally:
        os.close(descriptor)
    return text if text.isdecimal() else "unknown"


def _drop_in_child() -> None:
    while _leases:
        os.close(_leases.pop())


# A forked child shares its parent's lock, and would keep it when it lives longer.
os.register_at_fork(after_in_child=_drop_in_child)
