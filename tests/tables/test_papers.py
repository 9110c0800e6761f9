"""Published scores next to ours: what matches, what is said to differ, and that none is lost."""

import pandas as pd
import pytest
import yaml

from cellseg.tables import paper_names, papers, published
from cellseg.tables.formatted import papers_page
from papers_testing import measured, of


@pytest.fixture(scope="module")
def figures(checkout):
    return published.read(checkout / "workflow/published.csv")


def test_every_published_figure_is_of_a_document_and_in_its_page(figures):
    assert {figure.source for figure in figures} == set(paper_names.PAPERS.values())
    for name, source in paper_names.PAPERS.items():
        made = of(figures, name, [measured()])
        assert [line.figure for line in made] == [f for f in figures if f.source == source]
        page = papers_page.page(source, made, "Ours.")
        assert page.count('<th scope="row">') == len(made)
        for line in made:
            assert papers.value(line.figure) in page
            assert line.differs or line.figure.comparable, line.figure
        assert len(papers_page.table(made)) == len(made)


def test_the_report_stands_next_to_the_same_backbone_and_heads(figures):
    experiments = [measured(), measured("other", "resnet50", "fgbg", at=0.9)]
    lines = of(figures, "report", experiments)
    matched = [line for line in lines if line.ours]
    assert {line.figure.system.split(", ")[1] for line in matched} == {"ResNet50"}
    iou, _, step = matched
    assert iou.same_network and iou.ours.mean == pytest.approx(0.5)
    # t(0.975, 2) * 0.1 / sqrt(3)
    assert iou.ours.high - iou.ours.mean == pytest.approx(0.24841, abs=1e-4)
    assert iou.ours.condition == "resnet50 · inner-distance + pixelwise · s"
    assert "split not stated" in iou.differs and "small objects not stated" in iou.differs
    assert step.ours.mean == 101 and step.differs == "another machine"
    rows = papers_page.rows(matched)
    assert [row[5] for row in rows] == ["0.5000 ± 0.2484", "0.5000 ± 0.2484", "101 ± 2 ms"]


def test_other_networks_stand_next_to_our_best_that_was_trained_alike(figures):
    experiments = [measured(at=0.3), measured("better", at=0.4)]
    experiments += [measured("single", cell_types="A172", at=0.2)]
    all_types, *_ = of(figures, "livecell", experiments, metric="ap", cell_type="all")
    assert all_types.ours.condition.startswith("better")
    assert all_types.differs == "another network: ours is the best condition"
    lower, *_ = of(figures, "livecell", experiments, metric="afnr")
    assert lower.ours.condition.startswith("resnet50")  # of false negatives, fewer are better
    for line in of(figures, "livecell", experiments, metric="ap", cell_type="A172"):
        assert line.ours.condition.startswith("single") and line.ours.mean == pytest.approx(0.25)
    boxes, *_ = of(figures, "livecell", experiments, metric="AP of boxes")
    assert boxes.ours is None and "AP of boxes may be defined otherwise" in boxes.differs


def test_the_poster_goes_by_its_models_and_synthetic_images(figures):
    experiments = [measured("unet", "unet", "fgbg"), measured("unet", "unet", "fgbg", synthetic=9)]
    plain, extended = of(figures, "poster", experiments[:1], system="U-Net", cell_type="all")
    assert plain.ours and not extended.ours
    plain, extended = of(figures, "poster", experiments[1:], system="U-Net", cell_type="all")
    assert extended.ours and not plain.ours
    assert not any(line.ours for line in of(figures, "poster", experiments, system="Deep U-Net"))


def test_centermask_of_the_poster_stands_next_to_ours(figures, checkout):
    """The same network in the poster's study, and what ours lacks is said."""
    poster = yaml.safe_load((checkout / "workflow/studies/poster.yaml").read_text())
    sartorius = yaml.safe_load((checkout / "workflow/studies/sartorius.yaml").read_text())
    assert set(papers.BY_MODEL.values()) <= poster["models"].keys() | sartorius["models"].keys()
    large, small = "centermask-v99", "centermask-v19-slim-dw"
    experiments = [measured(large, large, "instances"), measured("unet", "unet", "fgbg", at=0.9)]
    system = "CenterMask VoVNet2 V-99"
    for metric in ("AP", "AFNR"):
        line, *_ = of(figures, "poster", experiments, system=system, metric=metric, cell_type="all")
        assert line.same_network and line.ours.condition.startswith(large)
        assert "not matched: weights of MS-COCO" in line.differs
    f1, *_ = of(figures, "poster", experiments, system=system, metric="F1", cell_type="all")
    assert f1.ours is None  # it is not said to be of pixels
    assert poster["models"][small]["preset"] == "v19-slim-dw"
    others = of(figures, "poster", experiments, system="CenterMask VoVNet2 V-19-SlimDW")
    assert others and not any(line.ours for line in others)


def test_the_thesis_is_of_another_data_set(figures):
    lines = of(figures, "thesis", [measured()])
    matched = [line for line in lines if line.ours]
    assert matched and all(line.figure.system.startswith("Deep watershed, ") for line in matched)
    assert all("data set Van Valen lab movies" in line.differs for line in lines)
    assert any("not matched: location layer" in line.differs for line in matched)
    removed = next(line for line in matched if line.figure.small_objects == "removed")
    assert removed.ours.mean == pytest.approx(0.51)
    assert not any(line.ours for line in of(figures, "kaggle", [measured()]))


def test_simulated_images_are_said_to_be_such(figures):
    (line,) = [line for line in of(figures, "others", [measured()], kind="simulated")
               if line.figure.system == "Cellpose-SAM"]  # fmt: skip
    assert line.differs.startswith("ours: this data set is another (simulated)")


def sartorius(tuning):
    """An experiment of two folds of the cascade, whose scores together are 0.5."""
    made = measured("cascade-x152", "", "instances")
    runs = made.runs.assign(tuning=tuning, data_split="held-out")
    of_folds = [
        table.assign(subset=f"five-fold-{number}", **change)
        for number in (1, 2)
        for table, change in ((runs, {"msa": number}), (made.training, {}))
    ]
    return papers.one_experiment(
        pd.concat(of_folds[::2]), pd.concat(of_folds[1::2]), runs.assign(subset="five"),
        {"five-fold-1": "five", "five-fold-2": "five"},
    )  # fmt: skip


def test_a_cross_validation_stands_next_to_the_same_data_set(figures):
    experiments = [sartorius("-"), sartorius("thresholds")]
    experiments[1].runs["msa"] += 0.125
    lines = of(figures, "kaggle", experiments, kind="sartorius", cell_type="all", split="val")
    ours = {line.figure.system: line.ours and line.ours.mean for line in lines}
    assert ours == {
        "Mask R-CNN, public baseline": None,
        "Cascade Mask R-CNN X152": pytest.approx(0.5),
        "Cascade Mask R-CNN X152, post-processed": pytest.approx(0.625),
    }
    differs = lines[1].differs
    assert "data set" not in differs and "split: val" in differs
    assert "weights of MS-COCO, then LIVECell" in differs
    elsewhere = of(figures, "kaggle", experiments, kind="download", split="val")
    assert all("data set Sartorius 2021" in line.differs for line in elsewhere)
    leaderboard, *_ = of(
        figures, "kaggle", experiments, kind="sartorius", split="public leaderboard"
    )
    assert "split: public leaderboard" in leaderboard.differs
