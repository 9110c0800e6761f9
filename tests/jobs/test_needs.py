"""What jobs ask for, from the benchmark files of earlier ones."""

import json

import pytest

from cellseg.jobs import resources

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resources.measured.cache_clear()
    return tmp_path


def _benchmark(folder, name, seconds, rss, load):
    path = folder / "runs" / name / "train.tsv"
    path.parent.mkdir(parents=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:00\t{rss}\t1\t1\t1\t0\t0\t{load}\t1\n")


def test_without_benchmarks_the_first_guess_grows_with_attempts():
    assert resources.memory_mb("runs/*/train.tsv", 4000) == 4000
    assert resources.memory_mb("runs/*/train.tsv", 4000, attempt=3) == 12000
    assert resources.minutes("runs/*/train.tsv", 60, attempt=2) == 120
    assert resources.processors("runs/*/train.tsv", 4) == 4


def test_the_largest_need_counts_with_some_to_spare(folder):
    _benchmark(folder, "a", 3000, 1000, 150)
    _benchmark(folder, "b", 6000, 2000, 90)
    assert resources.memory_mb("runs/*/train.tsv", 16000) == 3100  # 1.3 x 2000 + 500
    assert resources.memory_mb("runs/*/train.tsv", 16000, attempt=2) == 6200
    assert resources.minutes("runs/*/train.tsv", 10) == 200
    assert resources.minutes("runs/a/train.tsv", 10, attempt=2) == 200
    assert resources.processors("runs/*/train.tsv", 4) == 2


def test_no_job_asks_for_more_than_a_day(folder):
    """Slurm keeps a job for ever that asks for more than its partition allows."""
    assert resources.minutes("runs/*/train.tsv", 24 * 60, attempt=2) == 24 * 60
    _benchmark(folder, "a", 90_000, 1000, 100)
    assert resources.minutes("runs/a/train.tsv", 60) == 24 * 60


def test_a_short_job_still_has_some_minutes_and_a_processor(folder):
    _benchmark(folder, "a", 0.2, 12, 3)
    assert resources.minutes("runs/*/train.tsv", 60) == resources.LEAST_MINUTES
    assert resources.memory_mb("runs/*/train.tsv", 4000) == 600
    assert resources.processors("runs/*/train.tsv", 4) == 1


@pytest.mark.parametrize(
    "text", ["", HEADER, HEADER + "0.1\t0:00:00", HEADER.replace("\t", ","), "\0"]
)
def test_broken_and_empty_files_are_left_out(folder, text):
    (folder / "runs/broken").mkdir(parents=True)
    (folder / "runs/broken/train.tsv").write_text(text)
    assert resources.memory_mb("runs/*/train.tsv", 4000) == 4000
    assert resources.processors("runs/*/train.tsv", 4) == 4


def test_what_was_too_short_to_be_measured_is_not_taken_for_nothing(folder):
    path = folder / "runs/short/train.tsv"
    path.parent.mkdir(parents=True)
    path.write_text(f"{HEADER}0.1\t0:00:00\t-\t-\t-\t-\t-\t-\tNA\tNA\n")
    assert resources.memory_mb("runs/*/train.tsv", 4000) == 4000


def test_only_some_of_thousands_are_read(folder):
    for number in range(resources.SAMPLES + 5):
        _benchmark(folder, str(number), number, 100, 100)
    assert len(resources.measured("runs/*/train.tsv")) == resources.SAMPLES


SETTINGS = {"model": {"family": "unet"}, "tiling": {"size": 64}, "training": {"epochs": 2}}


def _training(folder, seed, settings, seconds, epochs=()):
    run = folder / f"runs/seed-{seed}"
    (run / "benchmarks").mkdir(parents=True)
    (run / "benchmarks/train.tsv").write_text(
        f"{HEADER}{seconds}\t0:00:00\t1000\t1\t1\t1\t0\t0\t150\t1\n"
    )
    (run / "settings.json").write_text(json.dumps({**settings, "seed": seed}))
    (run / "history.csv").write_text("epoch,seconds\n" + "".join(f"1,{s}\n" for s in epochs))


def test_trainings_count_that_had_the_same_settings(folder):
    """One epoch to see that it works says nothing of fifty."""
    pattern, longer = "runs/*/benchmarks/train.tsv", {**SETTINGS, "training": {"epochs": 50}}
    _training(folder, 0, SETTINGS, 1200)
    assert resources.minutes(pattern, 1440, settings=resources.decisive(SETTINGS)) == 40
    assert resources.minutes(pattern, 1440, settings=resources.decisive(longer)) == 1440
    assert resources.memory_mb(pattern, 16000, settings=resources.decisive(SETTINGS)) == 1800
    assert resources.memory_mb(pattern, 16000, settings=resources.decisive(longer)) == 16000


def test_all_attempts_of_a_training_count(folder):
    """The benchmark is of the last one alone; a new training has no attempt before it."""
    _training(folder, 0, SETTINGS, 60, epochs=[1500, 1500])
    pattern = "runs/*/benchmarks/train.tsv"
    assert resources.minutes(pattern, 1440, settings=resources.decisive(SETTINGS)) == 100
