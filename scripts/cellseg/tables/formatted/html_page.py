"""Tables of an experiment as one HTML page that needs nothing else."""

from collections.abc import Sequence

from cellseg.io import templates
from cellseg.tables.formatted.content import Table


def page(tables: Sequence[Table], title: str) -> str:
    """The page, each table with its notes beneath."""
    return templates.html(__file__).render(tables=tables, title=title)
