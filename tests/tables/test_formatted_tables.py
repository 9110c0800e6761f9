"""Formatted tables: what they hold and mark, and that HTML and LaTeX say it rightly."""

import math
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from cellseg.tables import comparisons, glossary, published
from cellseg.tables.formatted import content, html_page, latex
from cellseg.tables.formatted.captions import Experiment
from cellseg.tables.formatted.content import Row, Table, Value
from score_tables_testing import experiment

ABOUT = Experiment("backbones", "Which backbone?", "simulated", "keep", 1, 15)
A = {seed: {"x": value, "y": value} for seed, value in enumerate([0.70, 0.71, 0.69])}
B = {seed: {"x": value, "y": value} for seed, value in enumerate([0.60, 0.62, 0.60])}
NOISY = {seed: {"x": value, "y": value} for seed, value in enumerate([0.75, 0.64, 0.68])}
FIGURE = published.Figure(
    source="Somebody 2020", system="U-Net_2", trained_on="LIVECell", dataset="LIVECell",
    cell_type="all", metric="ap", value=47.78, sd=None, unit="percent", split="test",
    small_objects="", n_images=None, comparable=True, note="Table 1",
)  # fmt: skip


def build(scores, errors=None, about=ABOUT, figures=()) -> list[Table]:
    return built(experiment(scores, errors), about, figures)


def built(made, about=ABOUT, figures=()) -> list[Table]:
    return content.build(
        made, comparisons.compare(made["images"], made["runs"]), list(figures), about
    )


def column(table: Table, name: str) -> list[Value]:
    place = [score.name for score in table.scores].index(name)
    return [row.values[place] for row in table.rows]


@pytest.mark.parametrize(
    ("value", "number", "interval"),
    [
        (Value(0.61951, 0.0174, 3), "0.620", "0.017"),
        (Value(0.6, 0.0004, 3), "0.600", "0.000"),
        (Value(12.349, 1.05, 1), "12.3", "1.1"),
        (Value(0.5, math.nan, 3), "0.500", ""),
        (Value(math.nan, math.nan, 3), "-", ""),
    ],
)
def test_numbers_are_rounded(value, number, interval):
    assert (value.number, value.interval) == (number, interval)


def test_a_row_a_condition_with_mean_interval_and_seeds():
    kept, removed = build({"a": A, "b": B})
    assert kept.title == "Which backbone? Small objects kept"
    assert removed.title == "Which backbone? Small objects removed"
    assert kept.names == ("model",)
    assert [row.names for row in kept.rows] == [("a",), ("b",)]
    assert [row.seeds for row in kept.rows] == ["3", "3"]
    assert [score.name for score in kept.scores] == [
        "pixel_iou", "pixel_f1", "pixel_iou_pooled", "pixel_f1_pooled", "f1_50", "msa", "ap",
        "ap50", "errors_per_100", "step_ms",
    ]  # fmt: skip
    first = column(kept, "f1_50")[0]
    assert (first.number, first.interval) == ("0.700", "0.025")  # 4.303 * 0.01 / sqrt(3)
    assert [value.number for value in column(kept, "step_ms")] == ["50", "50"]
    assert "step_ms" not in [score.name for score in removed.scores]


def test_a_best_that_differs_is_marked():
    kept, _ = build({"b": B, "a": A}, errors={"b": 1, "a": 4})
    assert [value.marked for value in column(kept, "msa")] == [False, True]
    assert not any(value.marked for value in column(kept, "step_ms"))
    assert kept.notes[2].startswith(
        "Bold: the best of a column where it differs from the second best by more than the noise "
        "between trainings: paired t test over common seeds (3 at least, here 3), p < 0.05 after "
        "Holm's correction for the 1 such comparison of the column"
    )
    assert "images" not in kept.notes[2] and "Not" not in kept.notes[2]


def test_nothing_is_ranked_by_errors_which_merging_makes_fewer():
    """Though their difference is the same with every seed."""
    kept, _ = build({"b": B, "a": A}, errors={"b": 1, "a": 4})
    assert [value.number for value in column(kept, "errors_per_100")] == ["10.0", "40.0"]
    assert not any(value.marked for value in column(kept, "errors_per_100"))
    measured, definitions, marks, _ = kept.notes
    assert "a merge or catastrophe counts once however many cells it joins" in definitions
    assert "more than half of the smaller cell lies in the larger" in definitions
    assert measured.endswith("lower is better.") and "Lower is better" not in definitions
    assert "errors per 100 cells" not in marks


def test_a_best_within_noise_is_not_marked():
    kept, _ = build({"a": A, "noisy": NOISY, "b": B})
    assert not any(value.marked for row in kept.rows for value in row.values)
    assert kept.notes[2].startswith("Nothing is bold; it would be the best of a column where it ")
    assert "Holm's correction for the 3 such comparisons" in kept.notes[2]
    shown = (
        "pixel IoU, pixel F1, pooled pixel IoU, pooled pixel F1, F1 at IoU 0.5, MSA, AP and AP50"
    )
    assert f"Not shown to differ: the best of {shown}. Each pair" in kept.notes[2]


def test_a_tie_is_not_marked():
    kept, _ = build({"a": A, "also": A, "b": B})
    assert not any(value.marked for row in kept.rows for value in row.values)


def test_missing_pairs_that_turn_a_difference_around_mark_nothing():
    """The means say a, for a seed that b lacks; the common seeds say b."""
    a = {**{seed: {"x": 0.5} for seed in range(3)}, 3: {"x": 1.0}}
    b = {seed: {"x": 0.51} for seed in range(3)}
    kept, _ = build({"a": a, "b": b})
    means = [value.mean for value in column(kept, "msa")]
    assert means[0] > means[1]
    assert not any(value.marked for value in column(kept, "msa"))


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_few_seeds_mark_nothing_and_say_so(n_seeds):
    """Every image is better: these networks differ, and of other trainings nothing is known."""
    images = {f"i{n}": n / 100 for n in range(8)}
    a, b = (
        {seed: {i: base + more for i, more in images.items()} for seed in range(n_seeds)}
        for base in (0.6, 0.3)
    )
    made = experiment({"a": a, "b": b})
    compared = comparisons.compare(made["images"], made["runs"])
    assert (compared["p_corrected"] < 0.05).any()
    for table in built(made):
        assert not any(value.marked for row in table.rows for value in row.values)
        assert table.notes[2].startswith(
            "Nothing could be bold: whether the best of a column differs from the second best by "
            "more than the noise between trainings cannot be shown with fewer than 3 seeds that "
            "both have."
        )
        assert "marks nothing" in table.notes[2] and "p <" not in table.notes[2]


def test_unequal_seeds_are_told_by_column():
    """c has one seed; it is the best by ap alone, which then nobody can tell."""
    c = {0: {"x": 0.3, "y": 0.2}}
    made = experiment({"a": A, "b": B, "c": c})
    made["runs"].loc[made["runs"]["model"] == "c", "ap"] = 0.9
    kept, _ = built(made)
    assert [value.marked for value in column(kept, "msa")] == [True, False, False]
    assert not any(value.marked for value in column(kept, "ap"))
    note = kept.notes[2]
    assert "for the 1 such comparison of the column" in note
    assert "Could not be shown: whether the best of AP differs, which has fewer than 3 " in note
    assert "Pairs with fewer seeds are tested over images (Wilcoxon signed rank, " in note
    assert (
        "Not tested: pooled pixel IoU, pooled pixel F1, AP and AP50 in 2 of 3 pairs, for want"
        in note
    )


def test_images_without_true_cells_are_told():
    made = experiment({"a": A, "b": B})
    kept, _ = built(made)
    assert "no true cells" not in kept.notes[0]
    images = made["images"]
    images.loc[images["image"] == "y", "n_true"] = 0
    kept, _ = built(made)
    assert (
        "2 images with 10 true cells. Small objects are kept. 1 of the images has no true cells: "
        "means over images are of the other 1 for every condition, and false cells there count in "
        "AP, AP50 and errors per 100 cells alone. Values are"
    ) in kept.notes[0]


def test_what_ranks_the_cells_of_ap_is_told_where_heads_differ():
    heads = {"a": "inner-distance+pixelwise", "b": "inner-distance+outer-distance"}
    made = experiment({"a": A, "b": B})
    for table in made.values():
        table["heads"] = table["model"].map(heads)
    kept, _ = built(made)
    assert (
        "which is not the same for all heads (the interior probability with "
        "inner-distance+pixelwise; the outer distance with inner-distance+outer-distance)"
    ) in kept.notes[1]


def test_the_caption_of_one_seed_tells_what_the_test_knows():
    images = [f"i{n}" for n in range(8)]
    a, b = ({0: {i: base + 0.01 * n for n, i in enumerate(images)}} for base in (0.6, 0.3))
    kept, removed = build({"a": a, "b": b})
    measured, definitions, tests, _ = kept.notes
    assert measured.startswith("Experiment backbones. Heads: fgbg; training subset: full. Scored ")
    assert "test split of d: 8 images with 80 true cells. Small objects are kept." in measured
    assert "Values are of 1 seed, and have no interval. Step time (ms) on cpu: time of" in measured
    assert removed.notes[0].endswith("Values are of 1 seed, and have no interval.")
    assert "smaller than 15 pixels were removed" in removed.notes[0]
    assert "F1 at IoU 0.5: F1 of cells matched at an IoU of at least 0.5; " in definitions
    assert "the map that tells cells from background, the foreground probability." in definitions
    assert "knows nothing of the noise between trainings" in tests
    assert "Not tested: pooled pixel IoU, pooled pixel F1, AP and AP50" in tests


def test_one_condition():
    kept, _ = build({"a": A})
    assert len(kept.rows) == 1 and kept.names == ("model",)
    assert kept.notes[2] == "There is one condition, and nothing to compare it with."


def test_published_rows_only_where_they_are_comparable():
    whole = Experiment("backbones", "Which backbone?", "download", "drop", 1, 15)
    kept, removed = build({"a": A, "b": B}, about=whole, figures=[FIGURE])
    (row,) = kept.beneath
    assert row.names == ("U-Net_2 · published: Somebody 2020",)
    numbers = dict(zip([s.name for s in kept.scores], [v.number for v in row.values], strict=True))
    assert numbers.pop("ap") == "0.478" and set(numbers.values()) == {"-"}
    assert "Beneath the rule: published figures" in kept.notes[3]
    assert "here each counts once" in kept.notes[3]
    assert removed.beneath == () and "nothing was taken out" in removed.notes[3]
    kept, _ = build({"a": A, "b": B}, figures=[FIGURE])
    assert kept.beneath == ()
    assert kept.notes[3] == (
        "No published figure is comparable: they are of LIVECell as a whole, and this data set is "
        "another (simulated)."
    )


class Checker(HTMLParser):
    """Fails where tags do not close, and counts the columns of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[int] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += int(dict(attrs).get("colspan", 1))
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


ODD = Table(
    title="50 % & more: <b> #1_$x$",
    names=("model", "training subset"),
    scores=glossary.named("f1_50", "ap"),
    rows=(
        Row(("a_b", "5 %"), (Value(0.5, 0.01, 3, True), Value(0.25, math.nan, 3)), "3"),
        Row((r"c\d~^{e}", "<full>"), (Value(0.4, 0.02, 3), Value(math.nan, math.nan, 3)), "1"),
    ),
    beneath=(Row(('X "1" (published: A & B)',), (Value(0.1, math.nan, 3),) * 2, "-"),),
    notes=("f1_50: IoU ≥ 0.5 | ± half…", "p < 0.05 & so on"),
)


def test_html_is_whole_and_escaped():
    page = html_page.page([ODD, ODD], "a < b")
    checker = Checker()
    checker.feed(page)
    assert checker.open == [] and checker.rows == [5, 5, 5, 5] * 2
    assert "50 % & more: <b> #1_$x$" in checker.text and "<full>" in checker.text
    assert "<strong>0.500</strong>" in page and page.count("<strong>") == 2
    assert "<title>a &lt; b</title>" in page
    assert "http" not in page and "src=" not in page and "<script" not in page


def test_what_tables_share_is_said_once():
    kept, removed = build({"a": A, "b": B})
    assert kept.notes[1] == removed.notes[1] and kept.notes[0] != removed.notes[0]
    page = html_page.page([kept, removed], "x")
    assert page.count("F1 of cells matched at an IoU of at least 0.5") == 1
    assert page.count("Experiment backbones.") == 2
    assert html_page.page([kept], "x").count("F1 of cells matched at an IoU of at least 0.5") == 1


def test_two_seeds_have_no_interval():
    two = {seed: images for seed, images in A.items() if seed < 2}
    kept, _ = build({"a": two})
    assert not any(value.interval for row in kept.rows for value in row.values)
    assert "Values are means over 2 seeds, too few for an interval." in kept.notes[0]


def test_latex_is_escaped():
    assert latex.escape("a_b & 5 % {#1} $x^2$ ~") == (
        r"a\_b \& 5 \% \{\#1\} \$x\textasciicircum{}2\$ \textasciitilde{}"
    )
    assert latex.escape("\\") == r"\textbackslash{}"
    text = latex.document_part([ODD])
    assert r"a\_b & 5 \% & \withinterval{\textbf{0.500}}{0.010} & 0.250 & 3 \\" in text
    assert r"mm}}{X \textquotedbl{}1\textquotedbl{} (published: A \& B)}" in text
    assert text.count(r"\midrule") == 2 and r"\toprule" in text and r"\bottomrule" in text
    assert text.count("{") == text.count("}")


def test_latex_compiles(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex")
    (tmp_path / "summary.tex").write_text(latex.document_part([ODD, *build({"a": A, "b": B})]))
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\n"
        "\\usepackage{array,booktabs,graphicx}\\begin{document}\\input{summary}\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
