"""Snakemake refuses former keys of a config file and of its command line, with the present ones."""

import copy

import pytest

from workflow_runner import TINY, Workflow


@pytest.fixture(scope="module")
def fresh(checkout, tmp_path_factory):
    """A checkout without results."""
    return Workflow.copy(checkout, tmp_path_factory.mktemp("fresh"), TINY)


def test_former_keys_of_a_file_and_of_the_command_line_are_refused(fresh):
    former = copy.deepcopy(TINY)
    former["experiments"]["backbones"]["runs"] = former["experiments"]["backbones"]["conditions"]
    fresh.configure(former)
    done = fresh.call("--dry-run", "--config", "keep_maps=true", "scoring={every: 2}")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    for line in (
        "- keep_maps is now `keep_predictions`",
        "- scoring.every is now `subsample`",
        "- experiments.backbones.runs is now `conditions`",
    ):
        assert line in done.stdout
    assert "there is no key" not in done.stdout
