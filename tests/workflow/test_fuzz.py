"""Mutated files of every kind end in a result or in one error that names the file."""

import os
import warnings
from collections import Counter

import numpy as np
import pytest

import fuzzing

CASES = int(os.environ.get("FUZZ_CASES", "1000"))
"""Of all kinds together; a few of them are tried by every call of the tests."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    with warnings.catch_warnings():  # pyarrow and Pillow of their own deprecations
        warnings.simplefilter("ignore")
        found = fuzzing.sources(tmp_path_factory.mktemp("sources"))
        for name, content, read in found.values():  # kernels are compiled once, not in each case
            path = tmp_path_factory.mktemp("sound") / name
            path.write_bytes(content)
            read(path)
    return found


def _try(sources, folder, cases, seed):
    """What is wrong, by case; and how often each kind ended how."""
    wrong, ends = {}, Counter()
    for number, (kind, (name, content, read)) in zip(
        range(cases), _again_and_again(sources.items()), strict=False
    ):
        random = np.random.default_rng([seed, number])
        path = folder / f"{number}" / name
        path.parent.mkdir()
        path.write_bytes(fuzzing.mutate(content, random))
        end = fuzzing.outcome(read, path)
        ends[kind, end if end in ("result", "error") else "WRONG"] += 1
        if end not in ("result", "error"):
            wrong[f"{kind} {number}"] = end
    return wrong, ends


def _again_and_again(items):
    items = list(items)
    while True:
        yield from items


def test_a_few_mutated_files(sources, tmp_path):
    wrong, ends = _try(sources, tmp_path, 5 * len(sources), seed=0)
    assert not wrong, "\n\n".join(f"{case}: {end}" for case, end in wrong.items())
    assert sum(ends[kind, "error"] > 0 for kind in sources) > len(sources) / 2


@pytest.mark.slow
def test_many_mutated_files(sources, tmp_path):
    wrong, ends = _try(sources, tmp_path, CASES, seed=1)
    print("\n".join(f"{kind}: {how} {count}" for (kind, how), count in sorted(ends.items())))
    assert not wrong, "\n\n".join(f"{case}: {end}" for case, end in wrong.items())
