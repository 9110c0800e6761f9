"""The first screen of the report: what each experiment found, in honest words."""

import math
import re

import pandas as pd
import pytest
from docutils.core import publish_parts
from PIL import Image

from cellseg.errors import UserError
from cellseg.report import answers
from cellseg.tables import collect, comparisons

HEADS = "inner-distance+pixelwise"


def experiment(split="test", images=2, **scores):
    """Tables of models, each with the F1 of its seeds; images 0.05 below and above that."""
    from cellseg.scoring import names, pooled_pixels

    rows = []
    for model, values in scores.items():
        for seed, value in enumerate(values):
            run = {"dataset": "d", "model": model, "heads": HEADS, "subset": "full", "seed": seed}
            for image in range(images):
                about = {"data_split": split, "image": f"{image}", "cell_type": "A172"}
                numbers = dict.fromkeys(names.COLUMNS, value + (-0.05, 0.05)[image % 2])
                numbers |= dict.fromkeys(names.COUNTS, 1) | {"n_true": 10, "n_pred": 9}
                numbers |= dict.fromkeys(pooled_pixels.COUNTS, 5)
                rows += [{**run, **about, "small_objects": small, **numbers}
                         for small in ("kept", "removed")]  # fmt: skip
    images = pd.DataFrame(rows)
    runs = collect.with_pooled_pixels(collect.per_run(images), images)
    runs = runs.assign(**dict.fromkeys(names.COCO_SCORES, 0.5))
    return collect.summarise(runs), comparisons.compare(images, runs)


@pytest.fixture
def answer(tmp_path):
    """The answer of an experiment from its files, as the workflow reads them."""

    def answer(**scores):
        folder = tmp_path / "networks"
        folder.mkdir(exist_ok=True)
        for name, table in zip(("summary", "comparisons"), experiment(**scores), strict=True):
            table.to_csv(folder / f"{name}.csv", index=False)
        return answers.read(folder / "summary.csv", folder / "comparisons.csv")

    return answer


@pytest.mark.parametrize("order", [("low", "high"), ("high", "low")])
def test_a_winner_is_named_with_the_interval_of_the_difference(answer, order):
    scores = {"low": (0.50, 0.51, 0.52), "high": (0.60, 0.62, 0.61)}
    found = answer(**{name: scores[name] for name in order})
    assert (found.experiment, found.best.name, found.second.name) == ("networks", "high", "low")
    assert found.verdict == "separable"
    # Differences 0.10, 0.11 and 0.09: t(0.975, 2) 0.01 / sqrt(3) = 0.0248 about their mean.
    assert found.difference.startswith("0.100 (95 % interval 0.075 to 0.125; 3 seeds, p = ")
    assert found.sentence.startswith(
        "Highest F1 at IoU 0.5: **high** with 0.610 ± 0.025 (3 seeds), 0.100 (95 % interval"
    )
    assert found.sentence.endswith(" above **low** with 0.510 ± 0.025 (3 seeds).")


def test_what_noise_may_explain_has_no_winner(answer):
    found = answer(one=(0.5, 0.6, 0.7), two=(0.6, 0.58, 0.66))
    assert found.verdict == "not separable"
    assert found.sentence.startswith("Not separable by F1 at IoU 0.5: **two** with 0.613")
    assert "interval \N{MINUS SIGN}0." in found.sentence  # which holds 0


def test_too_few_seeds_are_points_only(answer):
    found = answer(one=(0.5, 0.9), two=(0.6,))
    assert found.verdict == "not tested, too few seeds"
    assert found.sentence == (
        "Points only, 1 seed: the highest F1 at IoU 0.5 is of **one** with 0.700 (2 seeds), 0.100 "
        "above **two** with 0.600 (1 seed). Whether that is more than the noise between trainings "
        "cannot be said."
    )


def test_folds_of_one_seed_are_compared_over_images(answer):
    folds = {"split": "held-out", "images": 8}
    found = answer(**folds, one=(0.5,), two=(0.6,))
    assert found.verdict == "separable over images alone"
    assert found.sentence == (
        "Tested over images, 1 seed: the highest F1 at IoU 0.5 is of **two** with 0.600 (1 seed), "
        "0.100 (95 % interval 0.100 to 0.100; 8 images, Wilcoxon signed rank test, p = 0.0078) "
        "above **one** with 0.500 (1 seed). Whether that is more than the noise between trainings "
        "cannot be said. All folds together: each image is scored by the network of the fold that "
        "holds it out."
    )
    found = answer(**folds | {"images": 4}, one=(0.5,), two=(0.6,))
    assert found.verdict == "not separable over images"
    assert found.sentence.startswith("Not separable over images by F1 at IoU 0.5: **two** with ")
    assert "0.100 (95 % interval 0.100 to 0.100; 4 images, Wilcoxon" in found.sentence
    found = answer(**folds, one=(0.50, 0.51, 0.52), two=(0.60, 0.62, 0.61))
    assert found.verdict == "separable" and found.sentence.endswith(answers.OF_FOLDS)


def test_one_condition_and_none_that_found_anything(answer):
    assert answer(one=(0.5,)).sentence == (
        "There is one condition, **one** with 0.500 (1 seed) as its F1 at IoU 0.5."
    )
    assert answer(one=(0.01,), two=(0.001,)).sentence.startswith("Almost nothing was found: ")
    found = answer(one=(math.nan,), two=(math.nan,))
    assert found.sentence == "No condition has a value of F1 at IoU 0.5."
    assert found.best is None


def test_tables_of_different_conditions_are_refused(answer, tmp_path):
    answer(one=(0.5, 0.6, 0.7), two=(0.4, 0.5, 0.6))
    folder = tmp_path / "networks"
    summary = folder / "summary.csv"
    summary.write_text(summary.read_text().replace("two", "three"))
    with pytest.raises(UserError, match="comparisons"):
        answers.read(summary, folder / "comparisons.csv")


def test_the_first_screen_has_a_picture_a_sentence_and_a_row_an_experiment(answer, tmp_path):
    Image.new("RGB", (2000, 1000), "red").save(tmp_path / "one.png")
    found = [answer(**{"a_*b*": (0.5,), "two": (0.6,)})]
    text = answers.section(found, {"networks": "Which *network*?"}, tmp_path / "one.png")
    html = publish_parts(text, writer="html", settings_overrides={"halt_level": 2})["body"]
    assert re.search(r'<img[^>]*class="answer"[^>]*src="data:image/png;base64,', html)
    assert "Which *network*? Points only, 1 seed" in html and "<strong>two</strong>" in html
    assert "<td>a_*b*</td>\n<td>0.500</td>" in html
    assert "<td>0.100, not tested, too few seeds</td>" in html
    assert "<img" not in publish_parts(
        answers.section(found, {"networks": "?"}, None), writer="html"
    )["body"]  # fmt: skip
