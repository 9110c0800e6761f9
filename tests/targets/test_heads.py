"""What is said of each head in several places agrees: one that is entered in part is noticed."""

import re

import numpy as np
import pytest
import yaml

from cellseg.targets import channels, head_names, heads


def test_every_head_is_entered_everywhere(checkout):
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())
    known = list(heads.HEADS)
    assert list(channels.USED) == known == list(head_names.HEADS)
    assert set(channels.NAMES) == set(known) == set(schema["$defs"]["heads"]["properties"])
    assert set(channels.MASKS) <= set(channels.CONFIDENCE) <= set(known)
    assert set(channels.DISTANCES) <= set(known)


def test_the_pattern_of_combinations_takes_these_alone():
    pattern = re.compile(head_names.PATTERN)
    names = head_names.combinations()
    assert len(names) == 2 ** len(head_names.HEADS) - 1
    assert all(pattern.fullmatch(name) for name in names)
    first, second = head_names.HEADS[:2]
    for wrong in ("", f"{second}+{first}", f"{first}+{first}", f"{first}+", f"{first}x",
                  f"+{second}", head_names.INSTANCES):  # fmt: skip
        assert not pattern.fullmatch(wrong), wrong
    assert len(head_names.PATTERN) < 2000  # Snakemake compiles it for each rule and file


@pytest.mark.parametrize("name", heads.HEADS)
def test_channels_are_those_of_the_maps(name):
    labels = np.zeros((12, 14), np.int32)
    labels[3:9, 4:11] = 1
    found = heads.compute(labels, {name: {}})[name]
    number = heads.HEADS[name].channels
    assert found.shape == heads.HEADS[name].target_shape({}, labels.shape)
    assert number == len(channels.NAMES[name])
    assert all(0 <= channel < number for channel in channels.USED[name])
    assert all(one.isidentifier() for one in channels.NAMES[name])
