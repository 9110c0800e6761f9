"""The formatted tables of an experiment, and the comparisons that decide what they mark."""

from cellseg import comparisons, published, score_tables
from cellseg.files import replacing
from cellseg.formatted import content, html_page, latex
from cellseg.formatted.captions import Experiment
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    tables = {
        name: score_tables.read(snakemake.input[name]) for name in ("images", "runs", "training")
    }
    compared = comparisons.compare(tables["images"], tables["runs"])
    experiment = Experiment(**snakemake.params.experiment)
    made = content.build(tables, compared, published.read(snakemake.input.published), experiment)
    with replacing(snakemake.output.comparisons) as temporary:
        compared.to_csv(temporary, index=False)
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(html_page.page(made, experiment.title), encoding="utf-8")
    with replacing(snakemake.output.latex) as temporary:
        temporary.write_text(latex.document_part(made), encoding="utf-8")
