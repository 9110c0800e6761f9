"""Write the HTML report of a finished study. Run it in the checkout: see --help."""

import subprocess
import sys
from pathlib import Path

from cellseg.errors import UserError
from cellseg.report import check
from cellseg.runtime import command
from cellseg.study import config_files

WORKFLOW = Path(__file__).resolve().parent.parent / "workflow"


def main() -> None:
    """Look whether all results are there, then let Snakemake write the report."""
    asked = check.read_arguments()
    study = config_files.study(asked, Path.cwd(), WORKFLOW / "schemas/config.schema.yaml")
    path = asked.to or Path("results", study["dataset"], "report.html")
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1"]
    snakemake += config_files.of_snakemake(asked)
    looked = subprocess.run([*snakemake, "--summary"], capture_output=True, text=True)
    if looked.returncode:
        raise UserError(f"Snakemake cannot plan the study:\n{looked.stderr or looked.stdout}")
    for note in check.check(looked.stdout):
        print(note)
    path.parent.mkdir(parents=True, exist_ok=True)
    style = ["--report-stylesheet", str(WORKFLOW / "report/report.css")]
    subprocess.run([*snakemake, "--quiet", "all", "--report", str(path), *style], check=True)
    print(check.written(path))


with command.running():
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
