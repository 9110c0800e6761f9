"""Published files that could not be fetched: all of a run, with where each belongs."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from cellseg.data import kinds, livecell_files
from cellseg.io.wording import number_of

SAID = "cannot be fetched"
"""In the log of a job that did not reach a file."""


def lines(
    study: Mapping, datasets: Iterable[str], weights: Iterable[str], results: Path, since: float
) -> list[str]:
    """What to say at the end of a run; nothing where all files were fetched.

    Parameters
    ----------
    study : complete configuration
    datasets : names of those that the run is about
    weights : names of the pretrained weights to be fetched
    results : folder of all results
    since : seconds since the epoch at which the run began; older logs do not count
    """
    logs = results / "logs"
    entries = {name: study["datasets"][name] for name in datasets}
    fetched = {name: entry for name, entry in entries.items() if kinds.of(entry).needs_internet}
    pairs = [
        pair
        for name, entry in fetched.items()
        if _failed(logs / kinds.of(entry).rule / f"{name}.log", since)
        for pair in kinds.of(entry).lacking(entry, results / "data" / name)
    ]
    for name in weights:
        path = results / f"data/pretrained/{name}.h5"
        if _failed(logs / f"fetch_weights/{name}.log", since) and not path.is_file():
            pairs.append((study["pretrained"][name]["url"], path))
    if not pairs:
        return []
    return [
        f"Not fetched: {number_of(len(pairs), 'file')}. Without internet here, fetch them "
        "elsewhere and put them there; then run the same command again, which checks them.",
        *livecell_files.listed(pairs),
    ]


def _failed(log: Path, since: float) -> bool:
    try:
        said = log.read_text(encoding="utf-8", errors="replace")
        return log.stat().st_mtime >= since and SAID in said
    except OSError:
        return False
