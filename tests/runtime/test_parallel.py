"""Work on many items at once: the same results in the same order, wherever they are made."""

import os

import pytest

from cellseg.runtime import parallel


def _square_and_process(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


@pytest.mark.parametrize(("alone", "others"), [(60, False), (-1, True)])
def test_other_processes_start_for_long_work_only(monkeypatch, alone, others):
    monkeypatch.setattr(parallel, "ALONE", alone)
    found = list(parallel.ordered_map(_square_and_process, iter(range(40)), workers=2))
    assert [square for square, _ in found] == [number**2 for number in range(40)]
    processes = {process for _, process in found}
    assert os.getpid() in processes and (len(processes) > 1) == others


@pytest.mark.parametrize("n_items", [0, 1])
def test_few_items_need_no_other_process(monkeypatch, n_items):
    monkeypatch.setattr(parallel, "ALONE", -1)
    found = parallel.ordered_map(_square_and_process, range(n_items), workers=2)
    assert {process for _, process in found} <= {os.getpid()}


def test_an_error_is_raised_from_wherever_it_is(monkeypatch):
    monkeypatch.setattr(parallel, "ALONE", -1)
    with pytest.raises(ZeroDivisionError):
        list(parallel.ordered_map((1).__truediv__, [1, 2, 0], workers=2))
