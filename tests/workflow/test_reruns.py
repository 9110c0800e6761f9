"""What a second call plans, called as users call it: touched files, copies, killed schedulers."""

import base64
import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from cellseg.runtime import job_output, signals, workflow_profile
from cellseg.tables import paper_names
from cellseg.training import checkpoint
from workflow_runner import TINY, Workflow

STUDY = copy.deepcopy(TINY)  # less of it: one cell type, one network with one head
STUDY["datasets"]["tiny"].update(cell_types=["BV2"], images={"train": 1, "val": 1, "test": 2})
STUDY["training"].update(epochs=1, precise_batch_norm_batches=1)
STUDY["models"] = {"featurenet": TINY["models"]["featurenet"]}
STUDY["experiments"]["backbones"]["conditions"][0].update(model="featurenet", heads="pixelwise")
STUDY["experiments"]["backbones"]["figures"] = ["f1-by-heads", "contact-sheet"]

RUN = "results/tiny/runs/featurenet/pixelwise/full/seed-0"
PROFILES = [[], ["--profile", "slurm"], ["--profile", "workflow/profiles/slurm"],
            ["--profile", "profiles/local"], ["--profile", "workflow/profiles/local"]]  # fmt: skip


NOTE_FILES = """
import os, sys

def note(event, arguments):
    if event != "open" or ".snakemake/scripts" not in (sys.argv[:1] or [""])[0]:
        return
    path, mode, flags = arguments
    reading = set(mode) <= set("rbt") if mode else flags & os.O_ACCMODE == os.O_RDONLY
    if reading and isinstance(path, (str, os.PathLike)):
        path = os.path.relpath(os.fspath(path))
        if path.startswith(("results/", "workflow/", "config", "study")) and os.path.isfile(path):
            script = os.path.basename(sys.argv[0]).split(".")[1]
            with open(os.environ["NOTED"], "a") as file:
                file.write(f"{script} {path}\\n")

sys.addaudithook(note)
"""
"""A sitecustomize module that lists the files of the checkout that rule scripts read."""


@pytest.fixture(scope="module")
def noted(tmp_path_factory):
    """File that lists them: a line each, with the name of the script."""
    folder = tmp_path_factory.mktemp("noted")
    (folder / "sitecustomize.py").write_text(NOTE_FILES)
    return folder / "noted.txt"


@pytest.fixture(scope="module")
def finished(checkout, tmp_path_factory, noted):
    """A checkout in which a small study has run."""
    workflow = Workflow.copy(checkout, tmp_path_factory.mktemp("reruns") / "checkout", STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(noted.parent))
        patch.setenv("NOTED", str(noted))
        done = workflow.call()
    assert done.returncode == 0, done.stdout
    assert workflow.planned() == {}
    return workflow


@pytest.fixture
def clone(checkout, finished, tmp_path):
    """A fresh checkout of the same state at another path, without results."""
    time.sleep(0.01)  # its files are newer than all results
    fresh = Workflow.copy(checkout, tmp_path / "another place" / "clone", STUDY)
    for path in sorted(fresh.folder.rglob("*")):
        if path.is_file():
            os.utime(path)
    return fresh


@pytest.fixture
def copied(finished, clone):
    """The fresh checkout with what was finished in the first, dates kept."""
    for name in ("results", ".snakemake"):
        subprocess.run(["cp", "-a", finished.folder / name, clone.folder], check=True)
    return clone


def _touch(*paths: Path) -> None:
    for path in paths:
        assert path.is_file()
        os.utime(path)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# --- files that are read ---

IMAGES = "results/data/tiny/source/images/"  # named, with their content, by an input
NOT_INPUTS = {
    "parse": ("results/data/tiny/source/",),  # named by source.json, an input
    **{script: (IMAGES,) for script in ("tile", "predict", "predict_shown")},
    **{script: (IMAGES,) for script in ("overlay", "contact_sheet")},
    "train": (f"{RUN}/resume/",),  # its own
    "overview": ("results/logs/", "results/tiny/runs/"),  # measurements, made with its inputs
}
"""What scripts read besides their inputs, and why a change of it is noticed nevertheless."""


def test_every_file_that_a_script_reads_is_an_input(finished, noted):
    """By what Snakemake has recorded of each output, and what Python opened."""
    declared: dict[str, set[str]] = {}
    for path in (finished.folder / ".snakemake/metadata").rglob("*"):
        if path.is_file():
            record = json.loads(path.read_text())
            declared.setdefault(record["rule"], set()).update(record["input"], record["log"])
            own = base64.b64decode(path.relative_to(finished.folder / ".snakemake/metadata").name)
            declared[record["rule"]].add(own.decode())
    read = {tuple(line.split(" ", 1)) for line in noted.read_text().splitlines()}
    assert {"train", "predict", "score", "collect"} <= {script for script, _ in read}
    for script, path in sorted(read):
        if any(part.startswith(".") for part in Path(path).parts):
            continue  # an output that is being written
        others = NOT_INPUTS.get(script, ())
        assert path in declared[script] or path.startswith(others), (script, path)


# --- touched files ---


def test_files_of_the_checkout_touched_after_the_results_schedule_nothing(finished):
    """Every script, every module, rules, profiles, environments, configuration."""
    for name in ("scripts", "workflow", "envs"):
        _touch(*_files(finished.folder / name))
    _touch(*(finished.folder / name for name in ("Snakefile", "config.yaml", "study.yaml")))
    assert finished.planned() == {}


@pytest.mark.parametrize("profile", PROFILES, ids=" ".join)
def test_so_it_is_with_every_profile(finished, profile):
    _touch(*_files(finished.folder / "scripts"), finished.folder / "workflow/published.csv")
    assert finished.planned(*profile) == {}


@pytest.mark.parametrize("backwards", [False, True])
def test_touched_results_schedule_nothing(copied, backwards):
    """In whatever order: the newest file may be the first or the last of the chain."""
    stamp = time.time()
    ordered = sorted(_files(copied.folder / "results"), key=lambda path: path.stat().st_mtime)
    for position, path in enumerate(reversed(ordered) if backwards else ordered):
        os.utime(path, (stamp, stamp + position / 1000))
    assert copied.planned() == {}


def test_tiles_too_large_to_compare_may_be_touched(copied):
    """Those of LIVECell are: training goes by the small files next to them."""
    now = time.time()
    for path in _files(copied.folder / "results"):
        os.utime(path, (now, now))
    tiles = _files(copied.folder / "results/data/tiny/tiles")
    _touch(*(path for path in tiles if path.suffix == ".npz"))
    none = ("--max-checksum-file-size", "1000")
    assert all(path.stat().st_size > 1000 for path in tiles if path.suffix == ".npz")
    assert copied.planned(*none, f"{RUN}/weights.h5") == {}
    (content,) = (path for path in tiles if path.match("train.npz.content.json"))
    kept = content.read_text()
    assert json.loads(kept) == checkpoint.fingerprint(content.with_name("train.npz"))
    content.write_text('"another"\n')
    assert copied.planned(f"{RUN}/weights.h5") == {"train": 1}
    content.write_text(kept)


# --- code that is arranged differently ---


def test_a_module_that_is_moved_schedules_nothing_and_its_constants_do(copied):
    """It is in the training and the prediction, which import it by way of others."""
    scripts = copied.folder / "scripts"
    moved = scripts / "cellseg/intensity/scaling.py"
    moved.parent.mkdir()
    (moved.parent / "__init__.py").write_text('"""Grey values."""\n')
    (scripts / "cellseg/images/normalization.py").rename(moved)
    importing = []
    for path in sorted(scripts.rglob("*.py")):
        before = path.read_text()
        if "cellseg.images.normalization" in before:
            path.write_text(
                before.replace("cellseg.images.normalization", "cellseg.intensity.scaling")
            )
            importing.append(path.name)
    assert {"batches.py", "sliding_window.py"} <= set(importing)
    assert copied.planned() == {}
    text = moved.read_text()
    assert "EPSILON = 1e-7" in text
    moved.write_text(text.replace("EPSILON = 1e-7", "EPSILON = 1e-6"))
    plan = copied.planned()
    assert plan["train"] == 1 and plan["predict"] == 1
    assert not {"simulate", "parse", "rasterize", "tile", "data_report"} & set(plan)


# --- copies of a finished checkout ---


def test_results_copied_with_snakemakes_records_need_nothing(copied):
    assert copied.planned() == {}
    assert copied.planned("--profile", "slurm") == {}


def test_so_do_results_copied_without_their_dates(finished, clone):
    for name in ("results", ".snakemake"):
        subprocess.run(["cp", "-r", finished.folder / name, clone.folder], check=True)
    assert clone.planned() == {}


def test_results_alone_format_their_tables_again(finished, clone):
    """Without records only dates count, and the checkout's list of published figures is newer."""
    subprocess.run(["cp", "-a", finished.folder / "results", clone.folder], check=True)
    assert clone.planned() == {
        "format_tables": 1, "papers": len(paper_names.PAPERS), "overview": 1, "all": 1
    }  # fmt: skip
    done = clone.call()
    assert done.returncode == 0, done.stdout
    assert clone.planned() == {}


def test_a_checkout_works_when_it_is_moved(finished, tmp_path):
    moved = shutil.copytree(finished.folder, tmp_path / "moved", symlinks=True)
    assert Workflow(moved, STUDY).planned() == {}


# --- images of one's own ---


def _picture(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full((8, 8), value, np.uint8))


def test_local_images_are_compared_by_content(checkout, tmp_path):
    own = copy.deepcopy(STUDY)
    splits = ("train", "val", "test")
    labels = {split: f"own/labels/{split}" for split in splits}
    own["datasets"]["tiny"] = {"kind": "local", "images": "own/images", "labels": labels}
    workflow = Workflow.copy(checkout, tmp_path, own)
    image, label = tmp_path / "own/images/train.tif", tmp_path / "own/labels/train/train.tif"
    for split in splits:
        _picture(tmp_path / f"own/images/{split}.tif", 90)
        _picture(tmp_path / f"own/labels/{split}/{split}.tif", 1)
    tables = "results/data/tiny/annotations/problems.csv"
    tiles = "results/data/tiny/tiles/cut-64/train.npz"
    done = workflow.call(tables, tiles)
    assert done.returncode == 0, done.stdout
    assert workflow.planned(tables, tiles) == {}
    _touch(*_files(tmp_path / "own"))
    _picture(tmp_path / "own/images/without-a-label.tif", 7)
    assert workflow.planned(tables, tiles) == {}
    # Put away, as on another disk: what was made of them can still be used.
    (tmp_path / "own/images").rename(tmp_path / "away")
    assert workflow.planned(tables, tiles) == {}
    (tmp_path / "away").rename(tmp_path / "own/images")

    _picture(label, 2)  # corrected: another value is the same cell
    assert workflow.planned(tables)["parse"] == 1
    _picture(label, 1)
    assert workflow.planned(tables) == {}
    _picture(image, 91)
    os.utime(image, (1, 1))  # from an old copy
    assert workflow.planned(tables) == {"parse": 1}
    # The tables alone, first: training tiles follow where they changed.
    done = workflow.call(tables)
    assert done.returncode == 0, done.stdout
    assert workflow.planned(tables, tiles) == {"rasterize": 1, "tile": 1}


# --- the profile ---


def _effective(workflow: Workflow, arguments: list[str]) -> dict:
    """Settings that Snakemake goes by, as its own parser of a call sees them."""
    code = (
        "import json, sys; from snakemake.cli import parse_args\n"
        "parsed = parse_args(sys.argv[1:])[1]\n"
        "keys = ('rerun_triggers', 'max_checksum_file_size', 'rerun_incomplete',\n"
        "        'printshellcmds', 'show_failed_logs')\n"
        "found = {key: getattr(parsed, key) for key in keys}\n"
        "print(json.dumps(found, default=lambda values: sorted(map(str, values))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=workflow.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.mark.parametrize("profile", PROFILES, ids=" ".join)
def test_every_key_of_the_workflow_profile_holds(finished, profile):
    expected = yaml.safe_load(
        (finished.folder / "workflow/profiles/default/config.yaml").read_text()
    )
    effective = _effective(finished, ["--cores", "1", *profile])
    triggers = effective.pop("rerun_triggers")
    assert sorted(triggers) == sorted(expected.pop("rerun-triggers"))
    assert effective == {key.replace("-", "_"): value for key, value in expected.items()}


@pytest.mark.parametrize("profile", PROFILES, ids=" ".join)
def test_the_workflow_profile_is_read(finished, profile):
    done = finished.call("--dry-run", "--quiet", *profile)
    assert done.returncode == 0, done.stdout
    assert "workflow specific profile profiles/default" in done.stdout
    assert "Warning" not in done.stdout


def _dry_run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_profile_is_read_from_wherever_snakemake_is_called(finished, tmp_path):
    study = ["--configfile", str(finished.folder / "study.yaml"), "--replace-workflow-config"]
    snakefile = finished.folder / "Snakefile"
    elsewhere = _dry_run(tmp_path, "--snakefile", str(snakefile), *study)
    assert "workflow specific profile" in elsewhere and "Warning" not in elsewhere
    to_elsewhere = _dry_run(finished.folder, "--directory", str(tmp_path), *study)
    assert "workflow specific profile" in to_elsewhere and "Warning" not in to_elsewhere
    back = _dry_run(
        tmp_path, "--snakefile", str(snakefile), "--directory", str(finished.folder), *study
    )
    assert "Nothing to be done" in back


def test_a_checkout_without_links_is_warned(clone):
    (clone.folder / "profiles").unlink()
    (clone.folder / "profiles").write_text("workflow/profiles")  # as git does without links
    printed = clone.call("--dry-run").stdout
    assert printed.count("Warning: Snakemake does not read the workflow profile") == 1
    (command,) = (line for line in printed.splitlines() if line.startswith("Warning"))
    option, path = command.rpartition("Add: ")[2].split(" ", 1)
    done = clone.call("--dry-run", option, path.strip("'"))
    assert "Using workflow specific profile" in done.stdout and "Warning" not in done.stdout


def test_another_workflow_profile_is_noticed(tmp_path):
    ours = tmp_path / "workflow/profiles/default"
    ours.mkdir(parents=True)
    (ours / "config.yaml").touch()
    other = tmp_path / "elsewhere" / "default"
    other.mkdir(parents=True)

    def warned(*arguments, started_in=tmp_path):
        return workflow_profile.warning(arguments, started_in, tmp_path)

    assert "does not read" in warned() and "does not read" in warned("--workflow-profile")
    assert warned("--workflow-profile", str(ours)) is None
    assert warned(f"--workflow-profile={ours / 'config.yaml'}") is None
    (tmp_path / "profiles").symlink_to("workflow/profiles")
    assert warned() is None and warned("--cores", "1", "-n") is None
    assert "does not read" in warned("--workflow-profile", "none")
    assert f"reads {other} and not" in warned(started_in=other.parent)
    assert "elsewhere/default and not" in warned("--workflow-profile", "elsewhere/default")
    assert warned("--", "--workflow-profile", "none") is None


def test_the_librarys_calls_read_the_profile(finished):
    """Reports and searches call Snakemake from the checkout."""
    from cellseg.runtime.snakemake_call import Snakemake

    _touch(*_files(finished.folder / "scripts"))
    arguments = ["--cores", "1", "--configfile", "study.yaml", "--replace-workflow-config", "-n"]
    code = (
        "import sys; from pathlib import Path\n"
        "from cellseg.runtime.snakemake_call import Snakemake\n"
        f"sys.exit(not Snakemake(Path.cwd(), {arguments!r}, True).make([{RUN + '/metrics.csv'!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=finished.folder,
        env={**os.environ, "PYTHONPATH": "scripts"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert Snakemake and done.returncode == 0, done.stdout
    assert "workflow specific profile" in done.stdout and "Nothing to be done" in done.stdout


# --- killed ---


def _start(workflow: Workflow, *targets: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml"]
    command += ["--replace-workflow-config", "--cores", "2", *targets]
    with (workflow.folder / "killed.txt").open("w") as log:
        return subprocess.Popen(
            command, cwd=workflow.folder, stdout=log, stderr=log, start_new_session=True
        )


def _until(holds, running: subprocess.Popen, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end and running.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize("jobs_too", [False, True], ids=["scheduler alone", "jobs too"])
def test_a_killed_training_resumes(copied, jobs_too):
    longer = copy.deepcopy(STUDY)
    longer["training"]["epochs"] = 8
    copied.configure(longer)
    run = copied.folder / RUN
    running = _start(copied, f"{RUN}/weights.h5")
    _until((run / "resume/state.json").exists, running)
    if jobs_too:
        os.killpg(running.pid, signal.SIGKILL)
    else:
        running.kill()
    running.wait()
    said = json.loads((run / "progress.json").read_text())
    assert (said["state"], said["epochs"]) == ("training", 8) and said["epoch"] <= 8
    assert copied.call("--unlock").returncode == 0
    done = copied.call(f"{RUN}/weights.h5")
    assert done.returncode == 0, done.stdout
    assert json.loads((run / "progress.json").read_text())["state"] == "finished"
    assert "Resuming after epoch" in (run / "logs/train.log").read_text()
    assert pd.read_csv(run / "history.csv")["epoch"].tolist() == list(range(1, 9))
    assert not (run / "resume").exists()
    assert copied.planned(f"{RUN}/weights.h5") == {}


def test_what_a_killed_call_left_incomplete_is_made_again(copied):
    metrics, script = copied.folder / RUN / "metrics.csv", copied.folder / "scripts/score.py"
    kept, text = metrics.read_bytes(), script.read_text()
    for name in ("metrics.csv", "coco.csv", "sizes.csv"):
        (copied.folder / RUN / name).unlink()
    script.write_text(text + "import time\ntime.sleep(300)\n")  # killed when all is written
    running = _start(copied, f"{RUN}/metrics.csv")
    _until((copied.folder / RUN / "sizes.csv").exists, running)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    script.write_text(text)
    metrics.write_text("half of it")
    assert copied.call("--unlock").returncode == 0
    done = copied.call(f"{RUN}/metrics.csv")
    assert done.returncode == 0, done.stdout
    assert metrics.read_bytes() == kept
    assert copied.planned(f"{RUN}/metrics.csv") == {}


def test_a_job_stops_once_its_program_is_gone(checkout, tmp_path):
    """Also below a shell, as with conda."""
    child = "from cellseg.runtime import signals; import time\n"
    child += "signals.stop_without('parent.py', 0.05)\n"
    child += "open('ready', 'w').close(); time.sleep(60)"
    (tmp_path / "child.py").write_text(child)
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys\n"
        "subprocess.run(['bash', '-c', f'echo $$ > shell; {sys.executable} child.py; true'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(checkout / "scripts")}
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, env=environment)
    _until((tmp_path / "ready").exists, parent)
    shell = int((tmp_path / "shell").read_text())
    parent.kill()
    parent.wait()
    end = time.monotonic() + 30
    while Path(f"/proc/{shell}").exists():  # it waits for the child
        assert time.monotonic() < end
        time.sleep(0.05)
    assert signals.SHELLS


def test_two_processes_never_run_the_same_job(checkout, tmp_path):
    code = (
        "import sys, time; from cellseg.runtime.script import running\n"
        "with running('log', 'train', {'seed': '0'}):\n"
        "    print('begin', flush=True); time.sleep(float(sys.argv[1])); print('end', flush=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(checkout / "scripts")}

    def start(seconds):
        return subprocess.Popen(
            [sys.executable, "-c", code, seconds],
            cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    first = start("3")
    assert first.stdout.readline() == "train seed-0: begin\n"
    second = start("0")
    assert "waiting for a process" in second.stdout.readline()
    assert first.poll() is None
    assert second.communicate()[0] == "train seed-0: begin\ntrain seed-0: end\n"
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert (tmp_path / "log").read_text() == "begin\nend\n"


# --- whose line it is ---


class Terminal:
    """Keeps each piece that was written at once."""

    def __init__(self, interactive: bool) -> None:
        self.interactive, self.written = interactive, []

    def write(self, text: str) -> None:
        self.written.append(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return self.interactive


def test_lines_are_written_whole_with_their_label(tmp_path):
    terminal = Terminal(interactive=False)
    with (tmp_path / "log").open("w") as log:
        tee = job_output.Tee(terminal, log, "train seed-1")
        print("epoch", 1, file=tee)
        print("a\n\nb", file=tee)
        print("part", end="", file=tee)
        assert terminal.written[-1].endswith("b\n")
        print(" of a line", file=tee, flush=True)
    assert "".join(terminal.written) == (
        "train seed-1: epoch 1\ntrain seed-1: a\n\ntrain seed-1: b\ntrain seed-1: part of a line\n"
    )
    assert (tmp_path / "log").read_text() == "epoch 1\na\n\nb\npart of a line\n"


def test_rewritten_lines_are_labelled_and_cover_longer_ones(tmp_path):
    terminal = Terminal(interactive=True)
    with (tmp_path / "log").open("w") as log:
        tee = job_output.Tee(terminal, log, "train")
        print("step 1", end="\r", file=tee, flush=True)
        print("\r50 %", end="", file=tee, flush=True)
        print(" of it", file=tee)
    clear = job_output.ERASE
    assert "".join(terminal.written) == (
        f"train: step 1{clear}\r\rtrain: 50 % of it{clear}\n"
    )  # fmt: skip
    assert (tmp_path / "log").read_text() == "50 % of it\n"


def test_the_label_is_the_rule_and_its_condition():
    run = {"dataset": "a", "model": "m", "heads": "h+i", "subset": "full", "seed": "3"}
    assert job_output.label("train", run) == "train a/m/h+i/full/seed-3"
    tuned = {**run, "variant": "tuning-grid/"}
    assert job_output.label("segment", tuned) == "segment a/m/h+i/full/seed-3/tuning-grid"
    assert job_output.label("segment", {**run, "variant": ""}) == "segment a/m/h+i/full/seed-3"
    assert job_output.label("apply", {}) == "apply" and job_output.label("", {}) == ""


@pytest.mark.slow  # the tests above have its parts
def test_trainings_side_by_side_say_whose_line_it_is(copied):
    runs = [RUN.replace("seed-0", f"seed-{seed}") for seed in (1, 2)]
    options = ("--printshellcmds", "--set-threads", "train=1", "--")
    done = copied.call(*options, *(f"{run}/weights.h5" for run in runs))
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    epochs = [line for line in lines if "epoch 1/1: loss" in line]
    labels = sorted(line.partition(": ")[0] for line in epochs)
    assert labels == [f"train tiny/featurenet/pixelwise/full/seed-{seed}" for seed in (1, 2)]
    for run in runs:
        log = (copied.folder / run / "logs/train.log").read_text()
        for line in filter(str.strip, log.splitlines()):
            seed = run.rpartition("-")[2]
            assert any(f"seed-{seed}: {line}" in printed for printed in lines), line
        assert log.startswith("Training on") or "\nepoch 1/1: loss" in log
