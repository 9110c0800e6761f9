"""The workflow on a real Slurm: on whatever cluster answers here, or not at all."""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest
import yaml

from cellseg.io import run_format
from cellseg.study import validation as study_config
from cellseg.study.runs import all_runs, run_settings
from workflow_runner import TINY, Workflow

ALIKE = ["undisturbed", "interrupted", "killed", "cancelled", "limited"]
"""Models of one kind; what happens to the training of each."""

ALIKE_ON_LOCAL_NODES = ["shot", "bereft"]
"""More of them: the training's process is killed, and its node dies."""

EPOCHS = 50

GUARD = """
import os, sys

def refuse(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[0]
    else:
        return
    if isinstance(address, (str, bytes)) and event == "socket.connect":
        return  # a socket of this machine
    with open(os.environ["REACHED"], "a") as file:
        file.write(f"{event} {address} {sys.argv}\\n")
    raise OSError("this node has no network")

if "SLURM_JOB_ID" in os.environ:
    sys.addaudithook(refuse)
"""
"""A sitecustomize module that leaves the jobs of Slurm without network."""


def _ask(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Skips where no Slurm with the profile's two partitions answers."""
    if shutil.which("sbatch") is None:
        pytest.skip("no Slurm here: sbatch is not on the PATH")
    answer = subprocess.run(["sinfo", "-h", "-o", "%R"], capture_output=True, text=True, timeout=30)
    if answer.returncode:
        pytest.skip(f"no Slurm answers: {answer.stderr.strip()}")
    missing = {"cpu", "gpu"} - set(answer.stdout.split())
    if missing:
        pytest.skip(f"this Slurm has no partition named {' or '.join(sorted(missing))}")


class OnSlurm(Workflow):
    """A checkout whose jobs go to Slurm, with the project's profile but for what slows a test."""

    prefix = "livecelltest"
    reached: Path
    study: dict

    @classmethod
    def prepare(cls, checkout: Path, folder: Path, config: dict) -> "OnSlurm":
        workflow = cls.copy(checkout, folder, {**config, "accelerator": "gpu"})
        profile = yaml.safe_load((checkout / "slurm/config.yaml").read_text())
        threaded = ("train", "predict", "predict_shown", "rasterize", "segment", "score")
        profile["set-threads"] = dict.fromkeys(threaded, 1)
        profile["slurm-init-seconds-before-status-checks"] = 3
        profile["latency-wait"] = 5
        profile["slurm-jobname-prefix"] = cls.prefix
        workflow.profile = profile
        workflow.write_profile()
        workflow.reached = folder / "reached.txt"
        (folder / "guard").mkdir()
        (folder / "guard/sitecustomize.py").write_text(GUARD)
        return workflow

    def write_profile(self) -> None:
        (self.folder / "on-slurm").mkdir(exist_ok=True)
        (self.folder / "on-slurm/config.yaml").write_text(
            yaml.safe_dump(self.profile, sort_keys=False)  # what is defined comes first
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "XDG_CACHE_HOME": str(self.folder / ".cache"),
            "PYTHONPATH": str(self.folder / "guard"),
            "REACHED": str(self.reached),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start snakemake with the profile; what it prints goes to `log.txt`."""
        command = [sys.executable, "-m", "snakemake", "--profile", "on-slurm"]
        command += ["--configfile", "study.yaml", "--replace-workflow-config", *arguments]
        with (self.folder / "log.txt").open("w") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Snakemake started from a shell's background would not listen to SIGINT.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    def finish(self, *arguments: str) -> str:
        """Run to the end, which has to be a good one; return what was printed."""
        running = self.start(*arguments)
        assert running.wait(timeout=600) == 0, self.log
        return self.log

    def progress(self) -> dict:
        """The state of the study, as a user sees it."""
        arguments = ["--configfile", "study.yaml", "--replace-workflow-config", "--json"]
        done = subprocess.run(
            [sys.executable, self.folder / "scripts/progress.py", *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return json.loads(done.stdout)

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def jobs(self) -> list[tuple[str, str, str]]:
        """Number, comment and state of each job of this workflow that Slurm has not ended."""
        lines = _ask("squeue", "-h", "-o", "%i|%k|%T|%j").splitlines()
        rows = [line.split("|") for line in lines]
        return [tuple(said) for *said, name in rows if name.startswith(self.prefix)]

    def job_of(self, model: str) -> str:
        """Number of the running job that trains a model."""
        jobs = self.jobs()
        running = [(number, comment) for number, comment, state in jobs if state == "RUNNING"]
        found = [number for number, comment in running if f"_{model}_" in comment]
        assert len(found) == 1, jobs
        return found[0]

    def cancel_all(self) -> None:
        if numbers := [number for number, _, _ in self.jobs()]:
            _ask("scancel", *numbers)
        _until(lambda: not self.jobs(), "jobs have ended")


@contextmanager
def _whatever_happens(workflow: OnSlurm):
    """Leave nothing running behind a test that failed."""
    try:
        yield
    finally:
        workflow.cancel_all()


def _until(holds, what: str, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds} s until {what}"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def finished(checkout, tmp_path_factory):
    """A whole study, run on Slurm with the memory that a user found in its log."""
    study = copy.deepcopy(TINY)
    study["models"].pop("mobilenetv2")
    study["experiments"]["backbones"]["conditions"][0].update(model="featurenet", seed=[0, 1])
    study["experiments"]["backbones"]["figures"] = ["backbones", "learning-curves"]
    workflow = OnSlurm.prepare(checkout, tmp_path_factory.mktemp("slurm") / "checkout", study)
    workflow.study = study
    with _whatever_happens(workflow):
        workflow.printed = workflow.finish("all", "--set-resources", "train:mem_mb=5000")
    return workflow


def test_the_whole_study_runs(finished):
    results = finished.folder / "results/tiny"
    summary = pd.read_csv(results / "tables/backbones/summary.csv")
    assert not summary.empty
    assert (results / "figures/backbones/backbones.pdf").exists()
    runs = list((results / "runs").rglob("metrics.csv"))
    assert len(runs) == 2
    assert all((run.parent / "overlay.png").exists() for run in runs)


def test_jobs_have_the_settings_of_the_plan(finished, checkout):
    """Nothing of config.yaml, which the study replaces."""
    schema = (checkout / "workflow/schemas/config.schema.yaml").read_text()
    written = yaml.safe_load((finished.folder / "study.yaml").read_text())
    study = study_config.resolve(written, yaml.safe_load(schema))
    for run in all_runs(study):
        settings = run_format.read(finished.folder / "results" / run.folder / "settings.json")
        planned = run_settings(study, run.model, run.heads, run.subset, run.seed)
        assert settings == planned
    listed = (finished.folder / "results/tiny/overview.rst").read_text()
    assert "backbones" in listed and "data-size" not in listed


def test_a_second_call_sends_no_job(finished):
    assert "Nothing to be done" in finished.finish("all")


def test_short_jobs_go_in_groups(finished):
    """Two runs make eight short jobs and more; few of them are sent alone."""
    sent = finished.printed.count("has been submitted with SLURM jobid")
    steps = int(finished.printed.rpartition(" steps (100%)")[0].rpartition(" of ")[2])
    grouped = finished.printed.count("Group job")
    assert grouped >= 2
    assert sent <= steps - 8


def test_gpu_jobs_had_a_gpu_and_the_others_none(finished):
    if subprocess.run(["sacct", "-h"], capture_output=True).returncode:
        pytest.skip("this Slurm keeps no accounts")
    rows = _ask("sacct", "-X", "-n", "-P", "-o", "WorkDir,Comment,Partition,AllocTRES,ReqMem")
    mine = [row.split("|") for row in rows.splitlines() if row.startswith(str(finished.folder))]
    if not mine:
        pytest.skip("this Slurm keeps no accounts of jobs")
    trained = [row for row in mine if row[2] == "gpu"]
    assert len(trained) == 4  # two trainings, two predictions
    assert all("gres/gpu=1" in row[3] for row in trained)
    assert not any("gres/gpu" in row[3] for row in mine if row[2] == "cpu")
    memory = {row[4] for row in trained if row[1].startswith("rule_train")}
    assert memory == {"5000M"}


def test_jobs_reach_for_no_network(finished):
    assert not finished.reached.exists(), finished.reached.read_text()


def test_a_job_that_reaches_for_the_network_is_noticed(finished, tmp_path):
    environment = {**finished.environment, "REACHED": str(tmp_path / "reached.txt")}
    reach = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    command = ["srun", "--partition", "cpu", sys.executable, "-c", reach]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "this node has no network" in done.stderr
    assert "192.0.2.1" in (tmp_path / "reached.txt").read_text()


def test_downloads_stay_on_the_login_node(checkout, tmp_path, published):
    """Prefetched here; the jobs that follow have no network, the server is asked no more."""
    study = copy.deepcopy(TINY)
    study["datasets"] = {"tiny": {"kind": "download", "url": published.url + "/", "retries": 0}}
    workflow = OnSlurm.prepare(checkout, tmp_path / "checkout", study)
    with _whatever_happens(workflow):
        assert "has been submitted" not in workflow.finish("prefetch")
        asked = len(published.requests)
        assert asked > 0
        workflow.finish("results/data/tiny/annotations/problems.csv")
    assert len(published.requests) == asked
    assert not workflow.reached.exists()


def test_one_condition_and_the_figures_by_name(finished):
    run = "results/tiny/runs/featurenet/inner-distance+pixelwise/full/seed-1"
    (finished.folder / run / "metrics.csv").unlink()
    (finished.folder / "results/tiny/figures/backbones/backbones.pdf").unlink()
    with _whatever_happens(finished):
        assert "rule score:" in finished.finish(f"{run}/metrics.csv")
        printed = finished.finish("figures")
    assert "rule figure:" in printed and "rule train:" not in printed
    assert (finished.folder / "results/tiny/figures/backbones/backbones.pdf").exists()


@pytest.mark.parametrize("rule", ["train", "learning_curve"])
def test_a_job_that_is_refused_is_sent_once_and_one_line_says_what_to_change(finished, rule):
    """Also of a group, of which Snakemake shows no reason."""
    run = "results/tiny/runs/featurenet/inner-distance+pixelwise/full"
    file = f"{run}/seed-7/history.csv" if rule == "train" else f"{run}/seed-0/learning_curve.png"
    # Someone expects larger nodes than there are.
    finished.profile["__variables__"]["cluster"]["max_mem_mb"] = 10**9
    finished.write_profile()
    try:
        asked = ("--force", "--set-resources", f"{rule}:mem_mb=900000*attempt")
        with _whatever_happens(finished):
            assert finished.start(file, *asked).wait(timeout=120) != 0, finished.log
    finally:
        finished.profile["__variables__"]["cluster"]["max_mem_mb"] = None
        finished.write_profile()
    lines = [line for line in finished.log.splitlines() if "Slurm refuses" in line]
    assert len(lines) == 1 and "`max_mem_mb`" in lines[0], finished.log
    assert "mem_mb=900000," in finished.log and "mem_mb=1800000" not in finished.log
    assert "Trying to restart" not in finished.log


def _epoch(run: Path) -> int:
    """Epochs that an unfinished training has saved."""
    try:
        return len(json.loads((run / "resume/state.json").read_text())["history"])
    except (OSError, ValueError):
        return 0


def _training_process(job: str) -> int:
    """The process that trains within a job, whose node is this machine."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended
        of_job = f"SLURM_JOB_ID={job}".encode() in environment
        if of_job and any(part.endswith(b"train.py") for part in arguments[1:2]):
            return int(process.name)
    raise AssertionError(f"no process of job {job} trains")


def test_a_cancelled_training_resumes(finished):
    """The one fault of `test_faults_change_no_result` that is looked at every day."""
    study = copy.deepcopy(finished.study)
    model = {"family": "panopticnet", "backbone": "featurenet", "training": {"epochs": EPOCHS}}
    study["models"]["cancelled"] = model
    run = finished.folder / "results/tiny/runs/cancelled/inner-distance+pixelwise/full/seed-0"
    finished.configure(study)
    try:
        with _whatever_happens(finished):
            running = finished.start(str(run.relative_to(finished.folder) / "history.csv"))
            _until(lambda: _epoch(run) >= 2, "two epochs are trained")
            _ask("scancel", finished.job_of("cancelled"))
            assert running.wait(timeout=600) == 0, finished.log
    finally:
        finished.configure(finished.study)
    assert len(pd.read_csv(run / "history.csv")) == EPOCHS
    assert "Resuming after epoch" in (run / "logs/train.log").read_text()


@pytest.mark.slow  # some ten minutes
@pytest.mark.timeout(1800)  # seven trainings, some of them twice, on two nodes
def test_faults_change_no_result(checkout, tmp_path):
    """Equal trainings, each met by another fault, end equal; what was finished stays as it was."""
    # Only the nodes of the local cluster are this machine, and may be killed.
    local_slurm = checkout.parent / "shared/tools/local-slurm"
    names = [*ALIKE, *(ALIKE_ON_LOCAL_NODES if local_slurm.exists() else [])]
    study = copy.deepcopy(TINY)
    study["models"] = {name: {"family": "panopticnet", "backbone": "featurenet"} for name in names}
    study["training"].update(epochs=EPOCHS, schedule={"name": "cosine"})
    study["experiments"]["backbones"]["conditions"][0]["model"] = names
    workflow = OnSlurm.prepare(checkout, tmp_path / "checkout", study)
    limited = "wildcards.model == 'limited' and attempt == 1"
    workflow.profile["set-resources"] = {
        "train": {
            "mem_mb": "2500 * attempt",  # two at a time
            "runtime": f"1 if {limited} else 60",
            "slurm_extra": f"'--signal=TERM@10' if {limited} else ''",
            # Two nodes, so that there is another one when the first has died.
            "slurm_partition": "'cpu' if wildcards.model == 'bereft' else 'gpu'",
            "gpu": "0 if wildcards.model == 'bereft' else 1",
        }
    }
    workflow.write_profile()
    runs = {
        name: workflow.folder / f"results/tiny/runs/{name}/inner-distance+pixelwise/full/seed-0"
        for name in names
    }
    targets = {
        name: f"{run.relative_to(workflow.folder)}/history.csv" for name, run in runs.items()
    }
    with ExitStack() as dead, _whatever_happens(workflow):
        # SIGINT to snakemake: it cancels its jobs, and the training saves what it has.
        running = workflow.start(targets["interrupted"], targets["undisturbed"])
        _until(lambda: _epoch(runs["interrupted"]) >= 2, "two epochs are trained")
        _until(lambda: _epoch(runs["undisturbed"]) >= 2, "two epochs are trained")
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=120) != 0
        _until(lambda: not workflow.jobs(), "the cancelled jobs have ended")
        shutil.rmtree(runs["undisturbed"])  # it is to have had no fault

        # SIGKILL to snakemake: its jobs run on, its lock stays.
        running = workflow.start(targets["undisturbed"], targets["killed"])
        _until(lambda: _epoch(runs["killed"]) >= 2, "two epochs are trained")
        running.kill()
        running.wait()
        assert workflow.start(targets["killed"]).wait(timeout=120) != 0
        assert "--unlock" in workflow.log
        _ask("scancel", workflow.job_of("killed"))
        _until(lambda: not workflow.jobs(), "the other job has ended by itself")
        weights = runs["undisturbed"] / "weights.h5"
        before = weights.stat().st_mtime_ns
        workflow.finish("--unlock")

        # scancel of a job, a time limit that is too short, SIGKILL of the process, death of the
        # node: the next attempts go on.
        running = workflow.start(*targets.values())
        to_meet = ["cancelled", *names[len(ALIKE) :]]
        while to_meet:
            # Those on the GPUs wait for each other, in an order that Slurm knows.
            _until(lambda: any(_epoch(runs[name]) >= 2 for name in to_meet), "one has begun", 900)
            name = next(name for name in to_meet if _epoch(runs[name]) >= 2)
            to_meet.remove(name)
            job = workflow.job_of(name)
            if name == "cancelled":
                progress = workflow.progress()
                _ask("scancel", job)
            elif name == "shot":
                os.kill(_training_process(job), signal.SIGKILL)
            else:
                node = _ask("squeue", "-h", "-j", job, "-o", "%N").strip()
                _ask(str(local_slurm), "node-kill", node)
                dead.callback(_ask, str(local_slurm), "node-start", node)
        assert running.wait(timeout=1200) == 0, workflow.log
        assert weights.stat().st_mtime_ns == before
    assert progress["judged_by"].startswith("squeue")
    look = next(look for look in progress["looks"] if look["run"]["model"] == "cancelled")
    assert look["state"] == "running" and look["rule"] == "train"
    assert look["training"]["epoch"] >= 2 and look["training"]["epochs"] == EPOCHS
    expected = pd.read_csv(runs["undisturbed"] / "history.csv")
    assert len(expected) == EPOCHS
    for name in names[1:]:
        history = pd.read_csv(runs[name] / "history.csv")
        columns = ["epoch", "loss", "val_loss", "learning_rate"]
        pd.testing.assert_frame_equal(history[columns], expected[columns], rtol=1e-4)
        log = (runs[name] / "logs/train.log").read_text()
        assert "Resuming after epoch" in log, (name, log)
