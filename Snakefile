"""livecell-bench: train, score and compare cell segmentation on LIVECell.

The path of a run is its condition:

    results/{dataset}/runs/{model}/{heads}/{subset}/seed-{seed}/   one trained network
    results/{dataset}/tables/{experiment}/                         what its runs add up to
    results/{dataset}/figures/{experiment}/                        figures drawn from the tables
    results/{dataset}/searches/{search}/                           hyperparameter searches (scripts/search.py)
    results/data/{dataset}/                                        images, annotations, labels, tiles

Each wildcard names an entry of the configuration. Ask for a file to make it:

    snakemake --cores 2 results/livecell/runs/resnet50/inner-distance+pixelwise/percent-5/seed-0/metrics.csv

Named targets: all, figures, tables, overlays, overviews (the front page of the report), prefetch (what needs the
internet), data (tiles and data report), apply (a trained run on images of your own).
"""

from snakemake.utils import min_version

min_version("9.19")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/apply.smk"


localrules:
    all,
    figures,
    tables,
    overlays,
    overviews,
    prefetch,
    data,
    download,
    use_local,
    fetch_weights,
    search_figure,


rule all:
    default_target: True
    input:
        rules.figures.input,
        rules.tables.input,
        rules.overlays.input,
        rules.overviews.input,
        rules.data.input,


show_steps()
check_command()
