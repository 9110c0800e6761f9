"""Kinds of data sets, each a :class:`~cellseg.data.kinds.source.Source`, found here by name.

A new kind is a module with its source, an entry of :data:`SOURCES`, its settings in
``workflow/schemas/config.schema.yaml`` (a definition, and lines in ``dataset``), and the rule that
makes its ``source.json``. Nothing else in the library asks what kind a data set is.
"""

from collections.abc import Mapping

from cellseg.data.kinds import converted, download, local, simulated
from cellseg.data.kinds.source import Source

SOURCES: dict[str, Source] = {
    "download": download.SOURCE,
    "simulated": simulated.SOURCE,
    "local": local.SOURCE,
    **converted.SOURCES,
}
"""By name, ``kind`` in the configuration."""


def of(entry: Mapping) -> Source:
    """The source of a data set, by its entry in the configuration."""
    return SOURCES[entry["kind"]]
