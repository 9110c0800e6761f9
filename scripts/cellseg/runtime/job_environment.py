"""Variables that the jobs of a workflow inherit, whatever the user's shell has."""

import os


def prepare(scripts: str) -> None:
    """Let the checkout's package go before others of its name, and figures be drawn alike.

    Parameters
    ----------
    scripts : folder of the package
    """
    given = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([scripts, *([given] if given else [])])
    os.environ["MPLBACKEND"] = "agg"  # a notebook sets another one
