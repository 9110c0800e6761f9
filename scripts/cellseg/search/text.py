"""The state of searches as text for a terminal."""

from collections.abc import Iterator, Mapping

from cellseg.io.terminal import UNKNOWN, aligned, wrapped
from cellseg.io.wording import number_of
from cellseg.jobs import time_left
from cellseg.jobs.active import RUNNING
from cellseg.jobs.run_folder import DONE, NOT_STARTED
from cellseg.search.progress import DECIDED, NO_SCORE, UNDECIDED, SearchProgress
from cellseg.search.trials import STATES

ALWAYS = (DONE, RUNNING, NOT_STARTED)  # columns shown even where all are 0


def lines(searches: Mapping[str, SearchProgress]) -> list[str]:
    """A table of rungs, and of each search the time left and the best so far."""
    rungs = [(name, *pair) for name, seen in searches.items() for pair in enumerate(seen.rungs, 1)]
    columns = [
        state
        for state in STATES
        if state in ALWAYS or any(rung.trials[state] for _, _, rung in rungs)
    ]
    rows = [["search", "rung", "epochs", "trials", *columns]]
    for name, number, rung in rungs:
        counts = [sum(rung.trials.values()), *(rung.trials[state] for state in columns)]
        rows.append(
            [
                name if number == 1 else "",
                str(number),
                f"{rung.epochs:,}",
                *(f"{count:,}" if count else UNKNOWN for count in counts),
            ]
        )
    table = aligned(rows)
    sentences = [sentence for name, seen in searches.items() for sentence in _sentences(name, seen)]
    return [
        table[0],
        "-" * len(table[0]),
        *table[1:],
        *(line for sentence in sentences for line in wrapped(sentence, "  ")),
    ]


def _sentences(name: str, seen: SearchProgress) -> Iterator[str]:
    if seen.state == UNDECIDED:
        yield f"Time left of {name}, rung {seen.rung}: {time_left.in_words(seen.estimate)}"
    elif seen.state == NO_SCORE:
        yield f"{name} has ended: no trial of rung {seen.rung} has a score."
    elif seen.state == DECIDED:
        yield f"{name}: all trials are done; the next call of scripts/search.py says what is best."
    else:
        yield f"{name} is done: its table, figure and best model are in {seen.folder}."
    if seen.best is not None:
        best = seen.best
        yield (
            f"Best{' so far' if seen.state == UNDECIDED else ''} of {name}: {best.measure} "
            f"{best.score:.4g}, trial {best.trial} after {number_of(best.epochs, 'epoch')} "
            f"({best.settings})."
        )
