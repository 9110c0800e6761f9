"""Time of a training step, without the epochs that compile."""

import pandas as pd
import pytest

from cellseg.tables.step_times import step_times

FIRST = 900.0


def history(seed: int, epochs: list[float], **columns) -> pd.DataFrame:
    numbers = range(1, 1 + len(epochs))
    return pd.DataFrame({"seed": seed, "epoch": numbers, "step_ms": epochs, **columns})


def test_the_median_of_each_seed_without_its_first_epoch():
    table = pd.concat([history(0, [FIRST, 10, 12, 50]), history(3, [FIRST, 30])])
    assert step_times(table).to_dict() == {0: 12, 3: 30}
    shuffled = table.sample(frac=1, random_state=0)
    assert step_times(shuffled).to_dict() == {0: 12, 3: 30}


@pytest.mark.parametrize(("epochs", "median"), [([FIRST, 10], 10), ([FIRST, 10, 20], 15)])
def test_each_network_of_an_ensemble_compiles_in_its_first_epoch(epochs, median):
    types = ["A172", "BT474", "BV2", "Huh7", "MCF7", "SHSY5Y", "SkBr3", "SKOV3"]
    ensemble = pd.concat([history(0, epochs, cell_type=name) for name in types])
    assert step_times(ensemble).to_dict() == {0: median}
    # In the table of an experiment the column is empty for other runs.
    both = pd.concat([ensemble, history(1, [FIRST, 20])])
    assert step_times(both).to_dict() == {0: median, 1: 20}


def test_each_fold_compiles_in_its_first_epoch():
    table = pd.concat([history(0, [FIRST, x], fold=f"f{x}") for x in (10, 20, 60)])
    assert step_times(table).to_dict() == {0: 20}


def test_networks_of_a_single_epoch_have_no_other():
    assert step_times(history(0, [FIRST])).to_dict() == {0: FIRST}
    ensemble = pd.concat([history(0, [x], cell_type=name) for x, name in ((7, "A"), (9, "B"))])
    assert step_times(ensemble).to_dict() == {0: 8}
    ensemble = pd.concat([ensemble, history(0, [FIRST, 10], cell_type="C")])
    assert step_times(ensemble).to_dict() == {0: 10}


def test_nothing_measured():
    assert step_times(history(0, [10]).drop(columns="step_ms")).empty
    assert step_times(history(0, [float("nan")])).empty
