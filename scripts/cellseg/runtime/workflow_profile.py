"""Whether a call of Snakemake reads the workflow profile, on which what reruns depends."""

from collections.abc import Sequence
from pathlib import Path

OPTION = "--workflow-profile"


def warning(arguments: Sequence[str], started_in: Path, checkout: Path) -> str | None:
    """One line to print where Snakemake reads another workflow profile than ours, or none.

    Snakemake looks for ``default/``, then ``profiles/default/``, in the folder that it was started
    in, then for ``profiles/default/`` next to the Snakefile. The last one is a link, which a
    checkout may lack (a zip unpacked without links), and the others may be those of another
    workflow.

    Parameters
    ----------
    arguments : of the call of Snakemake
    started_in : folder of that call; ``--directory`` changes it later
    checkout : folder of the Snakefile
    """
    ours = (checkout / "workflow/profiles/default").resolve()
    given = _given(arguments)
    if given == "none":
        read = None
    else:
        name = Path(given or "default")
        places = (started_in / name, started_in / "profiles" / name, checkout / "profiles" / name)
        read = next((place for place in places if place.exists()), None)
    if read is not None and ours in (read.resolve(), read.resolve().parent):
        return None
    instead = f"reads {read} and not" if read else "does not read"
    return (
        f"Warning: Snakemake {instead} the workflow profile {ours}: it may rerun finished "
        f"trainings because of file dates alone. Add: {OPTION} '{ours}'"
    )


def _given(arguments: Sequence[str]) -> str | None:
    """Value of the option, the last one where it is repeated."""
    value = None
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == OPTION:
            value = "".join(arguments[position + 1 : position + 2])
        elif argument.startswith(f"{OPTION}="):
            value = argument.partition("=")[2]
    return value
