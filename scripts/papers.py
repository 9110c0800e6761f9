"""The published figures of one document next to ours: a page, a table and a figure."""

from pathlib import Path

from cellseg.figures import paper, style
from cellseg.io import csv_file
from cellseg.io.atomic import replacing
from cellseg.report import figure_caption
from cellseg.runtime.script import running
from cellseg.tables import paper_names, papers, published, read
from cellseg.tables.formatted import papers_page

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    source = paper_names.PAPERS[snakemake.wildcards.paper]
    pooled = {Path(path).parent: read.read(path, []) for path in snakemake.input.out_of_fold}
    experiments = [
        papers.one_experiment(
            read.read(runs), read.read(training), pooled.get(Path(runs).parent), subsets
        )
        for runs, training, subsets in zip(
            snakemake.input.runs, snakemake.input.training, snakemake.params.folds, strict=True
        )
    ]
    lines = papers.lines(
        [one for one in published.read(snakemake.input.published) if one.source == source],
        experiments,
        kind=snakemake.params.kind,
        subsample=snakemake.params.subsample,
    )
    study = f"Ours are of data set {snakemake.wildcards.dataset} ({snakemake.params.kind})."
    with style.with_text(snakemake.params.figure_text):
        figure = paper.paper(lines, f"{source}, next to ours", study)
    figure_caption.write(figure, snakemake.output.caption)
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
    csv_file.write(snakemake.output.csv, papers_page.table(lines))
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(papers_page.page(source, lines, study), encoding="utf-8")
