rule overview:
    """The front page of the report, and the tables of times, memory and provenance behind it."""
    input:
        counts=f"{DATA}/report/counts.csv",
        summaries=on_dataset(of_all_experiments(f"{TABLES}/summary.csv")),
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
