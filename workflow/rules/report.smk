rule papers:
    """The scores that one document published next to ours: a page, a table and a figure."""
    input:
        runs=on_dataset(of_all_experiments(f"{TABLES}/runs.csv")),
        training=on_dataset(of_all_experiments(f"{TABLES}/training.csv")),
        out_of_fold=on_dataset(out_of_fold_tables("out_of_fold.csv")),
        published=PUBLISHED,
    output:
        html=report(
            f"{PAPERS}.html",
            caption="../report/papers_page.rst",
            category="Published scores",
            labels={"result": "table: {paper}"},
        ),
        csv=f"{PAPERS}.csv",
        png=report(
            f"{PAPERS}.png",
            caption="../report/papers.rst",
            category="Published scores",
            labels={"result": "figure: {paper}"},
        ),
        pdf=f"{PAPERS}.pdf",
        caption=f"{PAPERS}.rst",
    log:
        "results/logs/papers/{dataset}-{paper}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=2000,
        runtime=min(20, MINUTES_OF_SHORT),
    params:
        code=code("papers"),
        kind=lambda wildcards: study["datasets"][wildcards.dataset]["kind"],
        folds=folds_of_experiments,
        subsample=study["scoring"]["subsample"],
        figure_text=study["figure_text"],
    script:
        "../../scripts/papers.py"


rule overview:
    """The front page of the report, and the tables of times, memory and provenance behind it."""
    input:
        counts=f"{DATA}/report/counts.csv",
        summaries=on_dataset(shown_summaries()),
        comparisons=on_dataset(of_all_experiments(f"{TABLES}/comparisons.csv")),
        picture=first_figure,
        provenance=on_dataset(of_all_runs(run_files.PROVENANCE)),
    output:
        answers=ANSWERS,
        page=OVERVIEW,
        resources=report(
            "results/{dataset}/tables/resources.csv",
            caption="../report/resources.rst",
            category="All experiments",
            labels={"result": "table: times and memory"},
        ),
        provenance=report(
            "results/{dataset}/tables/provenance.csv",
            caption="../report/provenance.rst",
            category="All experiments",
            labels={"result": "table: provenance of the runs"},
        ),
    log:
        "results/logs/overview/{dataset}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=code("overview"),
        benchmarks=benchmark_patterns,
        study=shown_in_overview,
        snakemake_version=snakemake_version,
    script:
        "../../scripts/overview.py"


rule overviews:
    """The front page of the report for each data set that the study uses."""
    input:
        of_used_datasets(ANSWERS),
        of_used_datasets(OVERVIEW),
        of_used_datasets("results/{dataset}/tables/resources.csv"),
        of_used_datasets("results/{dataset}/tables/provenance.csv"),
