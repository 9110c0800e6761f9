"""What the command that writes a study's report is called with, and whether results are missing."""

import argparse
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io.wording import number_of
from cellseg.study import config_files

LARGE_MB = 200
"""What a browser takes a while to open."""

NAMED = 5
"""Missing files that are named; the others are counted."""


def read_arguments() -> argparse.Namespace:
    """Arguments of the command line: config files as Snakemake takes them, and where to write."""
    parser = argparse.ArgumentParser(
        description="Write the HTML report of a finished study. Nothing is computed."
    )
    config_files.add_arguments(parser)
    parser.add_argument(
        "--to", type=Path, metavar="FILE",
        help="the report, .html or, where that is too large for a browser, .zip; "
        "report.html among the results of the study's data set if not given",
    )  # fmt: skip
    asked = parser.parse_args()
    if asked.to is not None and asked.to.suffix not in (".html", ".zip"):
        parser.error(f"--to {asked.to}: the report is an .html or a .zip.")
    return asked


def check(summary: str) -> list[str]:
    """What to say about a study before its report is written.

    Parameters
    ----------
    summary : what ``snakemake --summary`` printed

    Returns
    -------
    list of str
        A sentence on existing results that would be made again; empty if none would.

    Raises
    ------
    UserError
        Results are missing. What the next call would not make again is not missed: intermediate
        files may be deleted.
    """
    header, *lines = summary.splitlines() or [""]
    names = header.split("\t")
    files = [dict(zip(names, line.split("\t"), strict=True)) for line in lines if line]
    pending = [file for file in files if file["plan"] == "update pending"]
    missing = [file["output_file"] for file in pending if file["status"] == "missing"]
    if missing:
        more = len(missing) - NAMED
        raise UserError(
            f"the study is not finished, so there is no report yet. {len(missing):,} of its "
            f"{len(files):,} files are missing:\n"
            + "".join(f"  {path}\n" for path in missing[:NAMED])
            + (f"  and {more:,} more\n" if more > 0 else "")
            + "Run snakemake with the same configuration to make them ('snakemake -n' shows the "
            "plan, 'make progress' what is done)."
        )
    old = [file for file in pending if file["status"] != "removed temp file"]
    if not old:
        return []
    return [
        f"Note: snakemake would make {number_of(len(old), 'file')} again, {old[0]['output_file']} "
        "for one: settings, inputs or code have changed. The report shows what is there."
    ]


def written(report: Path) -> str:
    """What to say of a report that was written."""
    size = report.stat().st_size / 1e6
    line = f"Report: {report} ({size:,.1f} MB)"
    if report.suffix == ".zip":
        return f"{line}; unpack it and open report.html."
    if size > LARGE_MB:
        zipped = report.with_suffix(".zip")
        return f"{line}. Much for a browser: TO={zipped} makes pictures separate files."
    return line
