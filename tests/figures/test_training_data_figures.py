"""Figures that compare training data: single cell types, synthetic images, size, ensembles."""

import numpy as np
import pandas as pd
import pytest
from test_figures import LONG, TYPES, badly_placed, fabricate

from cellseg.errors import UserError
from cellseg.figures import registry, style
from cellseg.tables import collect
from drawn import bars, lines

OWN = "trained on that cell type alone"
POSTER = {"SHSY5Y": "SHSY5Y", "SHSY5Y-extended": "SHSY5Y", "SkBr3": "SkBr3",
          "SkBr3-extended": "SkBr3"}  # fmt: skip
SYNTHETIC = {"SHSY5Y-extended": 500, "SkBr3-extended": 500, "extended": 500}


def poster(*subsets, **more):
    """An experiment on two cell types with subsets of the poster's study."""
    made = {"types": ("SHSY5Y", "SkBr3"), "cell_types": POSTER, "synthetic_images": SYNTHETIC}
    return fabricate(subsets=subsets, **{**made, **more})


def either(first, second):
    """Two experiments as one."""
    both = {name: pd.concat([first[name], second[name]], ignore_index=True) for name in first}
    return both | {"summary": collect.summarise(both["runs"])}


def legend(figure):
    """From the name of a series to its colour."""
    (legend,) = figure.legends
    names = [text.get_text().replace("\n", " ") for text in legend.get_texts()]
    return dict(zip(names, (p.get_facecolor() for p in legend.get_patches()), strict=True))


def drawn(axes):
    """Colour and middle of each bar, from left to right."""
    patches = [patch for c in axes.containers if hasattr(c, "patches") for patch in c.patches]
    middles = [(p.get_x() + p.get_width() / 2, p.get_facecolor()) for p in patches]
    return [(round(middle, 6), colour) for middle, colour in sorted(middles)]


def test_subsets_of_one_type_with_synthetic_images_have_a_colour_of_their_own():
    figure = registry.draw("f1-by-cell-type", poster(*POSTER, "full"))
    colours = legend(figure)
    assert list(colours) == [OWN, f"{OWN}, with synthetic images", "trained on: full"]
    assert len(set(colours.values())) == 3
    assert [colour for _, colour in drawn(figure.axes[0])] == [*colours.values()] * 2


def test_a_group_of_fewer_bars_has_no_gap_that_would_read_as_zero():
    figure = registry.draw("f1-by-cell-type", poster("SHSY5Y", "SHSY5Y-extended", "full"))
    middles = [middle for middle, _ in drawn(figure.axes[0])]
    assert middles == pytest.approx([-0.28, 0, 0.28, 1])


def test_extension_of_one_type_alone_is_told_too():
    figure = registry.draw("f1-by-cell-type", poster("SHSY5Y-extended", "SkBr3"))
    assert list(legend(figure)) == [OWN, f"{OWN}, with synthetic images"]


@pytest.mark.parametrize(
    ("trained_on", "names"),
    [
        # Half and all of a type, with names that hold the type's …
        ({"A172": "A172", "a172-half": "A172", "BV2": "BV2", "half-BV2": "BV2"}, [OWN, "half"]),
        # … and with others; "A172-half" and "half-A172" say the same of the type.
        ({"few": "A172", "many": "A172"}, ["few", "many"]),
        ({"A172-half": "A172", "half-A172": "A172"}, ["A172-half", "half-A172"]),
    ],
)
def test_subsets_of_one_type_without_synthetic_images_go_by_their_names(trained_on, names):
    made = fabricate(subsets=tuple(trained_on), types=("A172", "BV2"), cell_types=trained_on)
    expected = [name if name == OWN else f"{OWN}, {name}" for name in names]
    figure = registry.draw("f1-by-cell-type", made)
    assert list(legend(figure)) == expected
    assert len(drawn(figure.axes[0])) == len(trained_on)


def test_colours_are_the_same_in_every_panel_and_experiment():
    single = legend(registry.draw("f1-by-cell-type", poster(*POSTER, "full")))
    models = registry.draw("f1-by-cell-type", poster(*POSTER, "full", models=("unet", LONG)))
    assert legend(models) == single
    first, second = models.axes
    assert drawn(first) == drawn(second)
    steps = either(
        poster("extended", "SHSY5Y-extended", "SkBr3-extended", models=("unet",)),
        poster("full", "SHSY5Y", "SkBr3", models=("unet-long",)),
    )
    figure = registry.draw("f1-by-cell-type", steps)
    colours = legend(figure)
    names = [f"unet-long · {OWN}", f"unet · {OWN}, with synthetic images",
             "unet-long · trained on: full", "unet · trained on: extended"]  # fmt: skip
    assert list(colours) == names
    # What is compared is side by side.
    assert [colour for _, colour in drawn(figure.axes[0])] == [*colours.values()] * 2
    assert [colours[name] for name in names[:3]] == list(single.values())
    with style.look():
        assert badly_placed(figure) == []


def test_bars_are_those_of_their_own_condition():
    experiment = either(poster("SHSY5Y-extended", models=("unet",)),
                        poster("SHSY5Y", models=("unet-long",)))  # fmt: skip
    runs = experiment["runs"]
    runs.loc[runs["model"] == "unet", "f1_50"] = 0.9
    axes = registry.draw("f1-by-cell-type", experiment).axes[0]
    assert [height for height, _ in bars(axes).values()] == pytest.approx([0.1, 0.9])


def test_foreground_is_scored_where_cells_are_not_parted():
    experiment = poster("SHSY5Y")
    experiment["runs"]["pixel_f1"] = 0.75
    figure = registry.draw("pixel-f1-by-cell-type", experiment)
    (bar,) = [patch for c in figure.axes[0].containers for patch in c.patches]
    assert bar.get_height() == 0.75 and figure.axes[0].get_ylabel() == "pixel F1"
    said = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert (
        "Pixel F1 score" in said
        and "foreground, whichever cell they belong to" in said
        and "IoU" not in said
    )


SIZES = {"percent-5": 159, "full": 3170, "percent-5-extended": 159, "extended": 3170}


def test_sizes_with_and_without_synthetic_images_have_a_line_each():
    added = {"percent-5-extended": 5 * 159, "extended": 5 * 3170}
    experiment = fabricate(subsets=tuple(SIZES), train_images=SIZES, synthetic_images=added)
    figure = registry.draw("data-size", experiment)
    axes = figure.axes[0]
    found = [line[:, 0] for line in lines(axes).values()]
    assert [line[1] / line[0] for line in found] == [pytest.approx(3170 / 159)] * 2
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["real images alone", "5 synthetic images for each"]
    assert axes.get_xlabel() == "real training images (log scale)"


def test_sizes_of_extended_subsets_alone_say_so():
    experiment = fabricate(subsets=("percent-5", "full"), train_images=SIZES,
                           synthetic_images={"percent-5": 159, "full": 3170})  # fmt: skip
    figure = registry.draw("data-size", experiment)
    said = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert "Training images: 1 synthetic image for each." in said and not figure.legends


def test_sizes_of_other_cell_types_or_validation_have_a_line_each():
    subsets = {"full": 3170, "few": 450, "wells": 3000}
    experiment = fabricate(models=("unet", "resnet50"), subsets=tuple(subsets),
                           train_images=subsets, cell_types={"few": "A172+BV2"})  # fmt: skip
    training = experiment["training"]
    training.loc[training["subset"] == "wells", "validation"] = "by-well"
    names = [t.get_text() for t in registry.draw("data-size", experiment).legends[0].get_texts()]
    kinds = ["all cell types · validation official", "A172, BV2 · validation official",
             "all cell types · validation by-well"]  # fmt: skip
    assert [name.replace("\n", " ") for name in names] == [
        f"{model} · {kind}" for model in ("unet", "resnet50") for kind in kinds
    ]


def test_subsets_of_one_size_are_no_sizes_to_compare():
    experiment = fabricate(subsets=("nth", "seeded", "full"), train_images={"full": 3170})
    with pytest.raises(UserError, match=r"data-size.*nth, seeded have 100 training images"):
        registry.draw("data-size", experiment)


def test_curve_of_an_ensemble_is_the_mean_over_its_networks():
    single = fabricate(models=("single",), seeds=(0, 1), epochs=5)["training"]
    seeds = [
        fabricate(models=("ensemble",), seeds=(seed,), epochs=5)["training"] for seed in (0, 1)
    ]
    networks = [
        table.assign(cell_type=kind, loss=loss, val_loss=loss + seed).head(epochs)
        for seed, table in enumerate(seeds)
        for kind, loss, epochs in ((TYPES[0], 0.2, 5), (TYPES[1], 0.6, 3))
    ]
    training = pd.concat([single, *networks], ignore_index=True)
    figure = registry.draw("learning-curves", {"training": training})
    alone, together = figure.axes
    assert [len(line.get_xdata()) for line in alone.lines] == [5] * 6
    # Of each loss two seeds and their mean, as far as both networks got.
    assert [line.get_ydata().tolist() for line in together.lines] == [
        pytest.approx([loss] * 3) for loss in (0.4, 0.4, 0.4, 0.4, 1.4, 0.9)
    ]
    note = figure.texts[-1].get_text().replace("\n", " ")
    assert "Of an ensemble, the loss of a seed is the mean over its networks" in note
    note = registry.draw("learning-curves", {"training": single}).texts[-1].get_text()
    assert "ensemble" not in note


def test_synthetic_images_are_told_above_learning_curves():
    training = poster("full", "extended")["training"].assign(cell_type=np.nan)
    subtitle = registry.draw("learning-curves", {"training": training}).texts[1].get_text()
    assert subtitle.startswith("livecell: 100 training images (and 0 to 500 synthetic ones), 3 ")
