"""Files asked for by name: a misspelt condition is told with the nearest name."""

import pytest
import yaml

from cellseg import asked_files, config
from cellseg.errors import UserError

HEADS = "inner-distance+pixelwise"


@pytest.fixture(scope="module")
def given(checkout):
    return yaml.safe_load((checkout / "config.yaml").read_text())


@pytest.fixture(scope="module")
def check(checkout, given):
    """Check one argument against the full study."""
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())
    study = config.resolve(given, schema)
    return lambda argument: asked_files.check([argument], "out/", study, list(given["models"]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"livecel/runs/resnet50/{HEADS}/full/seed-0/metrics.csv", "Did you mean 'livecell'?"),
        (
            f"livecell/runs/resnet5/{HEADS}/full/seed-0/metrics.csv",
            "metrics.csv: model: 'resnet5' is not defined. Did you mean 'resnet50'? Possible: res",
        ),
        (
            f"livecell/runs/settings-028-epochs-90/{HEADS}/full/seed-0/metrics.csv",
            "'settings-028-epochs-90' is not defined",
        ),
        (
            "livecell/runs/resnet50/pixelwise+inner-distance/full/seed-0/metrics.csv",
            "write it as 'inner-distance+pixelwise'",
        ),
        ("livecell/runs/resnet50/fgbh/full/seed-0/metrics.csv", "'fgbh' is not one of"),
        (f"livecell/runs/resnet50/{HEADS}/percent5/seed-0/metrics.csv", "mean 'percent-5'?"),
        (f"livecell/runs/resnet50/{HEADS}/full/0/metrics.csv", "Write it as seed-0"),
        (
            f"livecell/runs/resnet50/{HEADS}/full/seed-0/tuning-threshold/metrics.csv",
            "tuning: 'threshold' is not defined. Did you mean 'thresholds'?",
        ),
        (
            "livecell/figures/head/errors.pdf",
            "experiment: 'head' is not defined. Did you mean 'hea",
        ),
        ("livecell/tables/datasize/summary.csv", "Did you mean 'data-size'?"),
    ],
)
def test_a_misspelt_condition_is_told(check, path, expected):
    with pytest.raises(UserError) as error:
        check(f"out/{path}")
    assert expected in str(error.value) and str(error.value).startswith(f"out/{path}: ")


@pytest.mark.parametrize(
    "argument",
    [
        f"out/livecell/runs/resnet50/{HEADS}/percent-5/seed-12/tuning-thresholds/metrics.csv",
        f"out/livecell/runs/settings-027-epochs-90/{HEADS}/percent-5/seed-0/history.csv",
        "out/livecell/tables/heads/summary.csv",
        "out/livecell/searches/setting/search.png",
        "out/applied/runs/overview.html",
        "out/data/livecell/report/data.png",
        f"elsewhere/livecell/runs/resnet5/{HEADS}/full/seed-0/metrics.csv",
        "apply={run: out/livecell/runs/resnet5/a/b/c/d}",
        "figures",
    ],
)
def test_everything_else_is_left_to_snakemake(check, argument):
    check(argument)
