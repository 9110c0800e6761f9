"""Figure of a document: every published value, and ours next to them."""

import pytest
from test_figures import badly_placed

from cellseg.figures import paper, style
from cellseg.tables import paper_names, published
from papers_testing import measured, of


@pytest.fixture(scope="module")
def figures(checkout):
    return published.read(checkout / "workflow/published.csv")


@pytest.mark.parametrize("name", paper_names.PAPERS)
@pytest.mark.parametrize("experiments", [[], [measured()]])
def test_a_document_has_a_figure_with_every_value(figures, name, experiments):
    lines = of(figures, name, experiments)
    figure = paper.paper(lines, paper_names.PAPERS[name], "Ours.")
    black, blue = [], []
    for axes in figure.axes:
        for container in axes.containers:
            colour = container.lines[0].get_markeredgecolor()
            (black if colour == style.BLACK else blue).append(container.lines[0].get_xdata()[0])
    said = [f.value * published.UNITS.get(f.unit, 1) for f in (line.figure for line in lines)]
    assert sorted(black) == pytest.approx(sorted(said))
    ours = [line.ours.mean for line in lines if line.ours]
    assert sorted(blue) == pytest.approx(sorted(ours))
    # kaggle is of another data set, and the poster's rows are of models that have its names.
    assert bool(ours) == (bool(experiments) and name not in ("kaggle", "poster"))
    with style.look():
        assert badly_placed(figure) == []
