"""Tables of an experiment as one HTML page that needs nothing else."""

from collections.abc import Sequence

from cellseg.io import templates
from cellseg.tables.formatted.content import Table


def page(tables: Sequence[Table], title: str) -> str:
    """The page, each table with its notes beneath; notes that all tables share come once, last."""
    notes = [table.notes for table in tables]
    shared = [one for one in notes[0] if all(one in others for others in notes)]
    shared = shared if len(tables) > 1 else []
    return templates.html(__file__).render(tables=tables, title=title, shared=shared)
