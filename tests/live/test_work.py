"""How much of a call's work is done and how long the rest takes: seconds that can be added up."""

import json

import pytest

from cellseg.live.job import Job, Names
from cellseg.live.work import SHORT, Work


def job(rule, output="made", **wildcards):
    return Job(rule, wildcards, (str(output),))


SCORES = [job("score", model="a", seed=str(seed)) for seed in range(4)]


def test_jobs_take_as_long_as_those_like_them_before():
    work = Work(SCORES, measured=lambda job: None)
    assert work.estimate(0.0, 0.0) == (0.0, 4 * SHORT)
    work.start(SCORES[0], 0.0)
    work.finish(SCORES[0], 30.0)
    assert work.estimate(30.0, 0.0) == (pytest.approx(1 / 4), 90.0)
    work.start(SCORES[1], 30.0)
    share, left = work.estimate(40.0, 0.0)
    assert (share, left) == (pytest.approx(40 / 120), 80.0)


def test_two_side_by_side_take_half_the_time():
    work = Work(SCORES, measured=lambda job: 10.0)
    for one in SCORES[:2]:
        work.start(one, 0.0)
    for one in SCORES[:2]:
        work.finish(one, 20.0)
    assert work.estimate(20.0, 0.0) == (pytest.approx(0.5), 20.0)


def test_shares_are_of_seconds_and_not_of_jobs():
    jobs = [job("train", model="a"), *SCORES]
    work = Work(jobs, measured=lambda job: 960.0 if job.rule == "train" else 10.0)
    for one in SCORES:
        work.start(one, 0.0)
        work.finish(one, 10.0)
    share, left = work.estimate(40.0, 0.0)
    assert share == pytest.approx(40 / 1000) and left == 960.0 / 1.0


def test_nothing_is_said_before_a_training_is_known():
    train = job("train", model="a")
    work = Work([train, *SCORES], measured=lambda job: None)
    assert work.estimate(0.0, 0.0) is None
    work.start(train, 0.0)
    assert work.estimate(5.0, 0.0) is None
    work.finish(train, 100.0)
    assert work.estimate(100.0, 0.0) == (pytest.approx(100 / 120), 20.0)


def test_a_running_training_tells_of_itself_and_of_those_like_it(tmp_path):
    folders = [tmp_path / f"seed-{seed}" for seed in (0, 1)]
    trainings = [
        job("train", folder / "weights.h5", model="a", seed=folder.name[-1]) for folder in folders
    ]
    folders[0].mkdir()
    about = {"format": 1, "state": "training", "epoch": 1, "epochs": 4, "step": 0,
             "steps_per_epoch": 10, "seconds": 25.0}  # fmt: skip
    (folders[0] / "progress.json").write_text(json.dumps(about))
    work = Work(trainings, measured=lambda job: None)
    work.start(trainings[0], 0.0)
    share, left = work.estimate(30.0, 0.0)
    assert left == 75.0 + 105.0 and share == pytest.approx(30 / 210)


def test_the_share_never_falls_and_failed_jobs_are_no_work():
    work = Work(SCORES, measured=lambda job: None)
    work.start(SCORES[0], 0.0)
    work.finish(SCORES[0], SHORT)
    before, _ = work.estimate(SHORT, 0.0)
    work.start(SCORES[1], SHORT)
    work.finish(SCORES[1], 100 * SHORT)
    after, _ = work.estimate(100 * SHORT, 0.0)
    assert after >= before == pytest.approx(0.25)
    work.start(SCORES[2], 0.0)
    work.fail(SCORES[2])
    assert work.running() == []


def test_names_leave_out_what_all_jobs_have_in_common():
    alike = {"dataset": "d", "model": "a", "heads": "h", "subset": "full"}
    jobs = [job("train", **alike, seed="0"), job("train", **alike, seed="1")]
    assert Names(jobs).done(jobs[1]) == "trained a/h/seed-1"
    jobs.append(job("train", **{**alike, "subset": "half"}, seed="0"))
    assert Names(jobs).doing(jobs[0]) == "train a/h/full/seed-0"
    assert Names(jobs).done(job("new_rule", model="x")) == "new_rule x"
