"""What jobs ask of a cluster under the Slurm profile, by plans alone: no Slurm is needed."""

import re
from collections import defaultdict

import pytest
import yaml

from workflow_runner import Workflow

PROFILE = "workflow/profiles/slurm"
ON_GPUS = {"train", "predict", "predict_validation"}
ON_THE_LOGIN_NODE = {"download", "use_local", "fetch_weights", "search_figure"}
TARGETS = {"all", "figures", "tables", "overlays", "overviews", "data", "prefetch"}


@pytest.fixture(scope="module")
def fresh(checkout, tmp_path_factory):
    """A checkout without results, with the demo's study for clusters with GPUs."""
    demo = yaml.safe_load((checkout / "workflow/studies/demo.yaml").read_text())
    return Workflow.copy(checkout, tmp_path_factory.mktemp("fresh"), {**demo, "accelerator": "gpu"})


@pytest.fixture
def block(fresh):
    """Changes the block `cluster` of the profile; it comes back after the test."""
    path = fresh.folder / PROFILE / "config.yaml"
    before = path.read_text()

    def change(**cluster) -> None:
        profile = yaml.safe_load(before)
        profile["__variables__"]["cluster"].update(cluster)
        path.write_text(yaml.safe_dump(profile, sort_keys=False))

    yield change
    path.write_text(before)


def asked(workflow: Workflow, *arguments: str) -> dict[str, list[dict[str, str]]]:
    """Resources of the planned jobs, by rule."""
    done = workflow.call("--dry-run", "--profile", PROFILE, *arguments)
    assert done.returncode == 0, done.stdout
    jobs = defaultdict(list)
    for name, resources in re.findall(r"rule (\w+):\n.*?\n +resources: (.*?)\n", done.stdout, re.S):
        if name not in TARGETS:
            jobs[name].append(dict(part.split("=", 1) for part in resources.split(", ")))
    assert ON_GPUS | {"simulate", "segment", "figure"} <= set(jobs)
    return jobs


def all_of(jobs: dict[str, list[dict[str, str]]]) -> list[tuple[str, dict[str, str]]]:
    return [
        (rule, job)
        for rule, found in jobs.items()
        for job in found
        if rule not in ON_THE_LOGIN_NODE
    ]


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--set-resources", "train:mem_mb=5000"),
        ("--default-resources", "mem_mb=3000"),
        ("--resources", "gpu=2", "--set-threads", "train=1", "--groups", "figure=figures"),
    ],
    ids=lambda more: more[0] if more else "nothing",
)
def test_what_the_command_line_sets_drops_nothing_of_the_cluster(fresh, sinfo, more):
    """Snakemake replaces whole lists of a profile by those of the command line."""
    grouped = yaml.safe_load((fresh.folder / PROFILE / "config.yaml").read_text())["groups"]
    grouped = {pair.split("=")[0] for pair in grouped}
    for rule, job in all_of(asked(fresh, *more)):
        needing = rule in ON_GPUS
        assert job["slurm_partition"] == ("gpu" if needing else "cpu"), rule
        assert job.get("gpu", "0") == ("1" if needing else "0"), rule
        assert ("--signal=TERM@120" in job.get("slurm_extra", "")) == needing, rule
        assert job.get("serial") == ("1" if rule in grouped else None), rule
        assert 0 < int(job["mem_mb"]) <= 8000, rule
        assert 0 < int(job["runtime"]) <= 1440, rule


def test_set_resources_still_sets_resources(fresh, sinfo):
    chosen = ("train:mem_mb=5000", "predict:slurm_partition=cpu")
    jobs = asked(fresh, "--set-resources", *chosen)
    assert {job["mem_mb"] for job in jobs["train"]} == {"5000"}
    assert {job["slurm_partition"] for job in jobs["predict"]} == {"cpu"}
    jobs = asked(fresh, "--default-resources", "slurm_partition=gpu")
    assert {job["slurm_partition"] for job in jobs["segment"]} == {"gpu"}


def test_a_study_without_gpus_goes_where_all_other_jobs_go(fresh, sinfo):
    jobs = asked(fresh, "--config", "accelerator=cpu")
    for _, job in all_of(jobs):
        assert job["slurm_partition"] == "cpu" and job.get("gpu", "0") == "0"
    # Their time limit ends them as it does on a GPU.
    assert all("--signal=TERM@120" in job["slurm_extra"] for job in jobs["train"])
    # Measured: 1.5 GB.
    assert all(2000 < int(job["mem_mb"]) < 3000 for job in jobs["train"])


def test_larger_trainings_and_predictions_ask_for_more_memory(fresh, sinfo):
    batches = ("training={batch_size: 32}", "prediction={batch_size: 64}")
    jobs = asked(fresh, "--config", "accelerator=cpu", *batches)
    usual = asked(fresh, "--config", "accelerator=cpu")
    for rule in ("train", "predict", "predict_validation"):
        most, before = (max(int(job["mem_mb"]) for job in of[rule]) for of in (jobs, usual))
        assert most > before, rule


def test_a_cluster_with_one_partition(fresh, sinfo, block):
    sinfo("batch*|64000")
    block(jobs={"slurm_partition": "batch"}, gpu_jobs={})
    jobs = asked(fresh)
    assert {job["slurm_partition"] for _, job in all_of(jobs)} == {"batch"}
    assert {job["gpu"] for job in jobs["train"]} == {"1"}


def test_no_partition_is_the_one_that_slurm_takes(fresh, sinfo, block):
    sinfo("batch*|4000", "large|64000")
    block(jobs=None, gpu_jobs=None)
    for rule, job in all_of(asked(fresh)):
        assert "slurm_partition" not in job and int(job["mem_mb"]) <= 4000, rule


def test_account_kind_of_gpu_and_features(fresh, sinfo, block):
    block(
        jobs={"slurm_partition": "cpu", "slurm_account": "lab"},
        gpu_jobs={
            "slurm_partition": "gpu",
            "gres": "gpu:a100:1",
            "constraint": "a100|h100",
            "slurm_extra": "--exclusive",
        },
    )
    for rule, job in all_of(asked(fresh, "--set-resources", "train:mem_mb=5000")):
        assert job["slurm_account"] == "lab"
        if rule in ON_GPUS:
            assert job["gres"] == "gpu:a100:1" and job["constraint"] == "a100|h100"
            assert job["gpu"] == "0"  # GPUs are asked for once
            assert job["slurm_extra"] == "--signal=TERM@120 --exclusive"
        else:
            assert "gres" not in job and "constraint" not in job


@pytest.mark.parametrize("limit", [None, 2500])
def test_no_job_asks_for_more_memory_than_a_node_has(fresh, sinfo, block, limit):
    sinfo("cpu*|30000", "gpu|2800", "gpu|3000+", "other|99000")
    block(max_mem_mb=limit)
    most = limit or 3000
    jobs = asked(fresh, "--set-resources", "train:mem_mb=9000")
    assert all(int(job["mem_mb"]) <= most for _, job in all_of(jobs))
    assert {job["mem_mb"] for job in jobs["train"]} == {str(most)}


def test_no_job_and_no_group_asks_for_more_time_than_partitions_allow(fresh, sinfo, block):
    """Slurm takes such a job, and never starts it."""
    block(max_runtime=500)
    profile = yaml.safe_load((fresh.folder / PROFILE / "config.yaml").read_text())
    groups = dict(pair.split("=") for pair in profile["groups"])
    components = dict(pair.split("=") for pair in profile["group-components"])
    jobs = asked(fresh, "--set-resources", "train:runtime=9000")
    longest = {rule: max(int(job["runtime"]) for job in jobs[rule]) for rule in jobs}
    assert max(longest.values()) == longest["train"] == 500
    for group, count in components.items():
        members = [rule for rule in groups if groups[rule] == group]
        # A run is segmented, or fused and painted. This study has maps only, and nothing from
        # outside: other jobs are as long as their twins.
        of_fusion = {"fuse", "fuse_validation", "paint", "overlay_of_fusion"}
        of_maps = {"segment", "predict_shown", "overlay"}
        for others in (of_fusion, of_maps) if group == "scores" else (set(),):
            twins = {"overlay_of_fusion": "overlay", "overlay_from_outside": "overlay",
                     "score_from_outside": "score"}  # fmt: skip
            rules = [twins.get(rule, rule) for rule in members if rule not in others]
            of_one = sum(longest.get(rule, longest["segment"]) for rule in rules)
            assert 0 < of_one * int(count) <= 500, (group, rules)


def test_partitions_that_are_not_there_are_refused_in_the_plan(fresh, sinfo, block):
    sinfo("general*|64000", "gpus|64000")
    block(jobs={"slurm_partition": "general"})
    done = fresh.call("--dry-run", "--profile", PROFILE)
    assert done.returncode != 0
    assert "`gpu_jobs: slurm_partition`: 'gpu' is not defined. Did you mean 'gpus'?" in done.stdout
    assert (
        fresh.call("--dry-run", "--profile", PROFILE, "--config", "accelerator=cpu").returncode == 0
    )


def test_misspelt_keys_of_the_block_are_refused(fresh, sinfo, block):
    block(max_memory=8000)
    done = fresh.call("--dry-run", "--profile", PROFILE)
    assert done.returncode != 0
    assert "'max_memory' is not defined. Did you mean 'max_mem_mb'?" in done.stdout


def test_plans_without_the_profile_name_no_partition(fresh, sinfo):
    done = fresh.call("--dry-run")
    assert done.returncode == 0
    named = " ".join(re.findall(r"^ +resources: (.*)$", done.stdout, re.M))
    assert "mem_mb=" in named and "slurm" not in named and "serial" not in named
