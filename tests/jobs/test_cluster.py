"""The block of the Slurm profile, what Slurm says of its nodes, and what to do when it refuses."""

import json
from types import SimpleNamespace

import pytest

from cellseg.errors import UserError
from cellseg.jobs import cluster, slurm_refusals


def _read(**block):
    return cluster.read(json.dumps(block))


def test_a_block_may_leave_anything_out():
    assert cluster.read(None) is None
    assert cluster.read("null") == cluster.Cluster()
    read = _read(jobs={"slurm_partition": "cpu", "slurm_account": None}, gpu_jobs=None)
    assert read.jobs == {"slurm_partition": "cpu"} and read.gpu_jobs == {}
    assert read.max_mem_mb is None and read.max_runtime == 1440


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"gpu_job": {}}, "Did you mean 'gpu_jobs'"),
        ({"max_mem_mb": "8 GB"}, "`max_mem_mb` is '8 GB'. Write a whole number of MB"),
        ({"max_runtime": 0}, "`max_runtime` is 0. Write a whole number of minutes"),
        ({"max_runtime": True}, "whole number"),
        ({"jobs": "cpu"}, "`jobs` is 'cpu'. Write resources below it"),
        ({"jobs": {"slurm_partition": ["a", "b"]}}, "`jobs: slurm_partition` is ['a', 'b']"),
        ({"gpu_jobs": {"runtime": 720}}, "may not set `runtime`, which `max_runtime`"),
        ({"jobs": {"mem_mb": 720}}, "may not set `mem_mb`, which `max_mem_mb`"),
        ([1], "Write it as a mapping"),
    ],
)
def test_what_is_wrong_in_a_block_is_said(block, said):
    with pytest.raises(UserError) as error:
        cluster.read(json.dumps(block))
    assert said in str(error.value) and cluster.PLACE in str(error.value)


def test_the_largest_node_of_each_partition_counts():
    """Nodes of one partition that differ are lines of their own."""
    known = cluster.parse_sinfo("cpu*|8000\ncpu*|64000\nbig|1000000+\n\nbroken|?\n")
    assert known == {
        "cpu": cluster.Partition(64000, True),
        "big": cluster.Partition(1000000, False),
    }


KNOWN = cluster.parse_sinfo("cpu*|8000\ngpu|64000\nold|4000")


@pytest.mark.parametrize(
    ("block", "on_gpus", "most"),
    [
        ({}, True, 8000),  # the default partition
        ({"jobs": {"slurm_partition": "old"}}, False, 4000),
        ({"jobs": {"slurm_partition": "old,gpu"}}, False, 64000),
        ({"jobs": {"slurm_partition": "gpu"}, "gpu_jobs": {"slurm_partition": "old"}}, True, 4000),
        (
            {"jobs": {"slurm_partition": "gpu"}, "gpu_jobs": {"slurm_partition": "old"}},
            False,
            64000,
        ),
        ({"jobs": {"slurm_partition": "unknown"}}, False, None),
        ({"max_mem_mb": 123}, True, 123),
    ],
)
def test_the_most_memory(block, on_gpus, most):
    assert cluster.most_memory(_read(**block), on_gpus, KNOWN) == most


def test_partitions_are_checked_where_slurm_answers():
    wrong = _read(jobs={"slurm_partition": "cpu,gpo"})
    with pytest.raises(UserError, match=r"'gpo' is not defined\. Did you mean 'gpu'"):
        cluster.check_partitions(wrong, False, KNOWN)
    cluster.check_partitions(wrong, False, {})
    elsewhere = _read(jobs={"slurm_partition": "theirs", "cluster": "other"})
    cluster.check_partitions(elsewhere, False, KNOWN)


def test_no_sinfo_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cluster.ask_slurm() == {}


def _refused(answer: str, call: str = "sbatch --mem 9000") -> str:
    return (
        f"SLURM sbatch failed. The error message was 'sbatch: error: {answer}'.\n"
        f"    sbatch call:\n        {call}\n"
    )


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (
            "Memory specification can not be satisfied\nsbatch: error: Batch job submission "
            "failed: Requested node configuration is not available",
            "`max_mem_mb`",
        ),
        (
            "Batch job submission failed: Requested node configuration is not available",
            "`gpu_model`",
        ),
        ("CPU count per node can not be satisfied", "--set-threads train=N"),
        ("invalid partition specified: gpus", "`slurm_partition`"),
        ("Invalid account or account/partition combination specified", "`slurm_account`"),
        ("Requested time limit is invalid (missing or exceeds some limit)", "`max_runtime`"),
        ("Invalid feature specification", "`constraint`"),
        ("Invalid generic resource (gres) specification", "`gres`"),
        ("Invalid qos specification", "`qos`"),
        ("something new", "something new"),
    ],
)
def test_what_to_change_is_one_line(answer, key):
    line = slurm_refusals.advice(_refused(answer), "train")
    assert key in line and "\n" not in line
    assert "train" in line and (cluster.PLACE in line or "--set-threads" in line)


def test_errors_of_the_plugin_itself_are_refusals_too():
    """It checks accounts and generic resources, and raises where sbatch would refuse."""
    message = "Job submission failed with exception: The given account lab\nis invalid."
    line = slurm_refusals.advice(message, "train")
    assert "`slurm_account`" in line and "lab is invalid" in line and "\n" not in line


@pytest.mark.parametrize(
    "message",
    [
        "",
        "SLURM-job '12' failed, SLURM status is: 'OUT_OF_MEMORY'. ",
        _refused("Batch job submission failed: Socket timed out on send/recv operation"),
        _refused("Batch job submission failed: Unable to contact slurm controller"),
    ],
)
def test_what_is_no_final_refusal_may_be_tried_again(message):
    assert slurm_refusals.advice(message, "train") is None


def test_nodes_that_are_left_out_are_named():
    call = "sbatch --exclude=cpu1,cpu2 --mem 900"
    answer = "Batch job submission failed: Requested node configuration is not available"
    line = slurm_refusals.advice(_refused(answer, call), "train")
    assert "cpu1,cpu2" in line and "slurm_partition" not in line


def test_a_refused_job_is_not_sent_again_and_said_once():
    reported, said = [], []

    class Executor:
        def report_job_error(self, job_info, msg=None, **more):
            reported.append((job_info.job.name, msg, more))

    slurm_refusals.watch(Executor, said.append)
    jobs = [SimpleNamespace(name="train", attempt=1, restart_times=2) for _ in range(3)]
    refused, failed = _refused("Memory specification can not be satisfied"), "SLURM-job failed"
    for job, message in zip(jobs, [refused, refused, failed], strict=True):
        Executor().report_job_error(SimpleNamespace(job=job), message, shown=1)
    assert len(said) == 1 and "`max_mem_mb`" in said[0]
    # Snakemake sends a job again while restart_times > attempt - 1.
    assert [job.restart_times > job.attempt - 1 for job in jobs] == [False, False, True]
    assert reported == [("train", text, {"shown": 1}) for text in (refused, refused, failed)]
