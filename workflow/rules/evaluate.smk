rule segment:
    """Cells from maps, by marker-controlled watershed."""
    input:
        maps=f"{RUN}/maps.npz",
    output:
        labels=f"{RUN}/labels.npz",
    log:
        f"{RUN}/logs/segment.log",
    benchmark:
        f"{RUN}/benchmarks/segment.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        code=code("segment"),
        watershed=studies.in_order(study["watershed"]),
    script:
        "../../scripts/segment.py"


rule score:
    """Scores of every image of a run, with and without small objects."""
    input:
        predicted=f"{RUN}/labels.npz",
        truth=f"{DATA}/labels/{study['scoring']['data_split']}.npz",
        images=f"{DATA}/annotations/{study['scoring']['data_split']}.images.parquet",
    output:
        metrics=f"{RUN}/metrics.csv",
    log:
        f"{RUN}/logs/score.log",
    benchmark:
        f"{RUN}/benchmarks/score.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        code=code("score"),
        condition=condition_of,
        data_split=study["scoring"]["data_split"],
        small_objects_threshold=study["scoring"]["small_objects_threshold"],
    script:
        "../../scripts/score.py"


rule collect:
    """Tables of an experiment: every image, every run, over seeds, and the training histories."""
    input:
        metrics=run_files("metrics.csv"),
        histories=run_files("history.csv"),
        settings=run_files("settings.json"),
        provenance=run_files("provenance.json"),
    output:
        images=f"{TABLES}/images.csv",
        runs=f"{TABLES}/runs.csv",
        summary=report(
            f"{TABLES}/summary.csv",
            caption="../report/summary.rst",
            category="Experiment {experiment}",
            labels={"table": "scores over seeds", "figure": "-"},
        ),
        training=f"{TABLES}/training.csv",
    log:
        "results/logs/collect/{dataset}-{experiment}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code("collect"),
    script:
        "../../scripts/collect.py"


rule tables:
    """The tables of all experiments."""
    input:
        of_all_experiments(f"{TABLES}/summary.csv"),
