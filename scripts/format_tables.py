"""The formatted tables of an experiment, and the comparisons that decide what they mark."""

from cellseg.io import csv_file
from cellseg.io.atomic import replacing
from cellseg.runtime.script import running
from cellseg.tables import comparisons, folds, published, read
from cellseg.tables.formatted import content, html_page, latex
from cellseg.tables.formatted.captions import Experiment

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    tables = {name: read.read(snakemake.input[name]) for name in ("images", "runs", "training")}
    tables = folds.joined(tables, snakemake.params.folds)
    compared = comparisons.compare(tables["images"], tables["runs"])
    experiment = Experiment(**snakemake.params.experiment)
    made = content.build(tables, compared, published.read(snakemake.input.published), experiment)
    csv_file.write(snakemake.output.comparisons, compared)
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(html_page.page(made, experiment.title), encoding="utf-8")
    with replacing(snakemake.output.latex) as temporary:
        temporary.write_text(latex.document_part(made), encoding="utf-8")
