"""The front page of a study's report, as reStructuredText."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cellseg.report import provenance_section, scores, sections
from cellseg.report.markup import heading


def write(
    *,
    study: Mapping,
    dataset: str,
    counts: pd.DataFrame,
    summaries: Sequence[scores.Scores],
    resources: pd.DataFrame,
    provenance: pd.DataFrame,
    snakemake_version: str,
    folder: Path,
) -> str:
    """The page of one data set.

    Parameters
    ----------
    study : the complete configuration
    dataset : name of the data set
    counts : ``counts.csv`` of the data report
    summaries : of each experiment on the data set, in the order of the study
    resources, provenance : from :mod:`cellseg.report.resources` and
        :mod:`cellseg.report.origins`
    snakemake_version : of the Snakemake that made the page
    folder : of the data set's results, as the page names it
    """
    return "\n".join(
        [
            heading(f"What was run on {dataset}"),
            sections.data(study, dataset, counts),
            sections.experiments(study, summaries, provenance),
            heading("Scores"),
            sections.scores_note(study, summaries),
            *(sections.scores_of(study, one, folder) for one in summaries),
            sections.meanings(study),
            heading("Times and memory"),
            sections.trainings(provenance),
            sections.resources(resources, folder),
            heading("Provenance"),
            provenance_section.write(provenance, snakemake_version, folder),
            heading("Where things lie"),
            sections.places(study, dataset, folder),
        ]
    )
