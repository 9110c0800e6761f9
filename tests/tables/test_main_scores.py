"""The words of scores: one list, which all that shows scores takes and nothing that scores."""

import re

import pytest

from cellseg.export import model_card
from cellseg.figures import overlay_cases
from cellseg.report import scores, terminal_summary
from cellseg.runtime import code_fingerprint
from cellseg.scoring import names as score_names
from cellseg.scoring import pooled_pixels
from cellseg.tables import glossary
from cellseg.tables.glossary import KNOWN, STEP
from cellseg.targets import channels


def test_each_is_a_column_and_says_what_it_is_over():
    columns = {*score_names.COLUMNS, *score_names.COCO_SCORES, glossary.ERROR_RATE}
    columns |= {*pooled_pixels.SCORES}
    assert KNOWN.keys() <= columns
    for name, score in KNOWN.items():
        coco = name in score_names.COCO_SCORES
        pooled = name in pooled_pixels.SCORES
        assert score.of_images == (not coco and not pooled), name
        assert (score.over == "pixels") == pooled, name
        assert (score.over == "cells") == (coco or name == glossary.ERROR_RATE), name


def test_headings_and_meanings_are_told_apart():
    for word in ("heading", "meaning"):
        words = [getattr(score, word) for score in (*KNOWN.values(), STEP)]
        assert len(set(words)) == len(words), word


def test_remarks_say_what_values_are_over():
    shown = [*glossary.named("msa", "ap", "f1_50", "ap50", "errors_per_100"), STEP]
    said = glossary.remarks(shown, lambda score: score.name)
    assert said.startswith(
        "Means over images: msa and f1_50. Of the cells of all images together: ap, ap50 and "
        "errors_per_100. LIVECell's protocol is class-agnostic"
    )
    assert "step_ms" not in said
    alone = glossary.remarks(glossary.named("msa"), lambda score: score.heading)
    assert alone == "Means over images: MSA."


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        (["inner-distance+pixelwise", "pixelwise"], "background, the interior probability."),
        (["fgbg"], "background, the foreground probability."),
        (["inner-distance"], "background, the inner distance."),
        (["inner-distance+outer-distance"], "background, the outer distance."),
        (
            ["inner-distance+fgbg", "fgbg", "fgbg+pixelwise"],
            "background, which is not the same for all heads (the foreground probability with "
            "inner-distance+fgbg and fgbg; the interior probability with fgbg+pixelwise): what "
            "ranks the cells differs, too, and with it these scores.",
        ),
        (
            [],
            "background, the interior probability where there is one, else the foreground "
            "probability, else the outer distance, else the inner distance; between those what "
            "ranks the cells differs, too, and with it these scores.",
        ),
    ],
)
def test_remarks_name_the_map_that_ranks_the_cells(heads, said):
    call = glossary.remarks(glossary.named("ap"), lambda score: score.name, {"watershed": heads})
    assert call.endswith(said)


def test_remarks_say_what_ranks_the_cells_of_another_program():
    def said(methods):
        return glossary.remarks(glossary.named("ap"), lambda score: score.name, methods)

    assert said({"from-outside": ["external"]}).endswith("the score that the other program gave.")
    both = said({"watershed": ["fgbg"], "from-outside": ["external"]})
    assert "the foreground probability; of cells found by another program it is the score" in both


def test_the_words_of_confidence_are_in_the_order_in_which_maps_are_chosen():
    assert set(channels.MASKS) <= set(channels.CONFIDENCE)


@pytest.mark.parametrize(
    ("name", "row", "words"),
    [
        ("msa", {"n_seeds": 3, "msa_mean": 0.51249, "msa_low": 0.4, "msa_high": 0.5},
         "0.512 ± 0.050"),
        ("msa", {"n_seeds": 2, "msa_mean": 0.51249, "msa_low": 0.4, "msa_high": 0.5}, "0.512"),
        ("errors_per_100", {"errors_per_100_mean": 12.34}, "12.3"),
        ("msa", {"msa_mean": 0.5, "msa_low": float("nan"), "msa_high": float("nan")}, "0.500"),
        ("msa", {"ap_mean": 0.5}, "-"),
    ],
)  # fmt: skip
def test_a_mean_with_its_interval(name, row, words):
    assert glossary.with_interval(row, KNOWN[name]) == words


@pytest.mark.parametrize("shown", [scores, model_card, terminal_summary])
def test_places_choose_and_take_the_words(shown):
    assert all(score is KNOWN[score.name] for score in shown.SCORES)


@pytest.mark.parametrize("script", ["train", "predict", "segment", "score", "tune", "overlay"])
def test_a_better_word_computes_nothing_anew(checkout, script):
    """Of all runs; tables and figures of an experiment are made again."""
    library = checkout / "scripts/cellseg"
    used = code_fingerprint.used_by(checkout / f"scripts/{script}.py", library)
    assert library / "tables/glossary.py" not in used and library / "errors.py" in used


def test_texts_that_cannot_take_the_words_use_the_same(checkout):
    """What is drawn once a run, the report's templates, and the page that defines the scores."""
    f1 = KNOWN["f1_50"].heading
    assert f1 in overlay_cases.NOTE
    captions = (checkout / "workflow/report/figure.rst").read_text()
    for name in ("pixel_iou", "pixel_f1", "f1_50"):
        assert KNOWN[name].heading.lower() in captions.lower(), name
    assert KNOWN["msa"].heading in (checkout / "workflow/report/contact_sheet.rst").read_text()
    page = (checkout / "docs/reference/scores.md").read_text()
    assert [name for name in KNOWN if not re.search(rf"`{name}`", page)] == []
