rule tune:
    """Segmentation settings that suit a run best, on the images that it was validated with."""
    input:
        maps=f"{RUN}/tuning-{{tuning}}/{run_files.VALIDATION_PREDICTIONS}",
        truths=of_splits(f"{DATA}/labels/{{split}}.npz"),
        images=by_cell_type(of_splits(f"{DATA}/annotations/{{split}}.images.parquet")),
    output:
        chosen=f"{RUN}/tuning-{{tuning}}/{run_files.CHOSEN}",
        tried=f"{RUN}/tuning-{{tuning}}/{run_files.TRIED}",
    log:
        f"{RUN}/tuning-{{tuning}}/{run_files.TUNE.log}",
    benchmark:
        f"{RUN}/tuning-{{tuning}}/{run_files.TUNE.benchmark}"
    wildcard_constraints:
        **WITH_FUSION,
    priority: 1  # before other runs are predicted: maps go when the cells are found
    conda:
        "../../envs/analysis.yaml"
    threads: processors(f"{RUN}/tuning-{{tuning}}/{run_files.TUNE.benchmark}", 4)
    resources:
        mem_mb=memory(f"{RUN}/tuning-{{tuning}}/{run_files.TUNE.benchmark}", 4000),
        runtime=minutes(f"{RUN}/tuning-{{tuning}}/{run_files.TUNE.benchmark}", 240),
    params:
        code=code_with_method("tune"),
        tuning=lambda wildcards: studies.in_order(
            study["threshold_searches"][wildcards.tuning]
        ),
        segmentation=segmentation_of,
    script:
        "../../scripts/tune.py"


rule segment:
    """Cells from maps, by the method that `segmentation` in the config names."""
    input:
        maps=f"{RUN}/{run_files.PREDICTIONS}",
        tuned=tuned_settings,
        images=by_cell_type(of_scored(f"{DATA}/annotations/{{split}}.images.parquet")),
    output:
        labels=f"{RUN}/{{variant}}{run_files.LABELS}",
        cells=f"{RUN}/{{variant}}{run_files.CELLS}",
        settings=f"{RUN}/{{variant}}{run_files.SEGMENTATION}",
    log:
        f"{RUN}/{{variant}}{run_files.SEGMENT.log}",
    benchmark:
        f"{RUN}/{{variant}}{run_files.SEGMENT.benchmark}"
    wildcard_constraints:
        **OF_MAPS,
    priority: 1  # before other runs are predicted: maps go when the cells are found
    conda:
        "../../envs/analysis.yaml"
    threads: processors(f"{RUN}/{{variant}}{run_files.SEGMENT.benchmark}", 4)
    resources:
        **SHORT,
        mem_mb=memory(f"{RUN}/{{variant}}{run_files.SEGMENT.benchmark}", 4000),
        runtime=minutes(
            f"{RUN}/{{variant}}{run_files.SEGMENT.benchmark}", 120, MINUTES_OF_SHORT
        ),
    params:
        code=code_with_method("segment"),
        condition=condition_of,
        tuning=tuning_of,
        segmentation=lambda wildcards: (
            None if wildcards.variant else segmentation_of(wildcards)
        ),
    script:
        "../../scripts/segment.py"


use rule segment as paint with:
    input:
        maps=f"{RUN}/{run_files.INSTANCES}",
        tuned=tuned_settings,
        images=by_cell_type(of_scored(f"{DATA}/annotations/{{split}}.images.parquet")),
    wildcard_constraints:
        **OF_INSTANCES,
        **WITH_FUSION,


rule take_labels:
    """Cells that another program found, as a run."""
    input:
        images=of_scored(f"{DATA}/annotations/{{split}}.images.parquet"),
    output:
        labels=f"{RUN}/{run_files.LABELS}",
        cells=f"{RUN}/{run_files.CELLS}",
        settings=f"{RUN}/{run_files.SEGMENTATION}",
        provenance=f"{RUN}/{run_files.PROVENANCE}",
    log:
        f"{RUN}/{run_files.TAKE_LABELS.log}",
    wildcard_constraints:
        **OF_OUTSIDE,
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=4000,
        runtime=min(60, MINUTES_OF_SHORT),
    params:
        code=code("take_labels"),
        condition=condition_of,
        files=files_from_outside,
        content=content_from_outside,
        subsample=study["scoring"]["subsample"],
        sample=sample_of,
    script:
        "../../scripts/take_labels.py"


rule score:
    """Scores of every image of a run, with and without small objects; COCO scores and sizes of all."""
    input:
        predicted=f"{RUN}/{{variant}}{run_files.LABELS}",
        cells=f"{RUN}/{{variant}}{run_files.CELLS}",
        truth=of_scored(f"{DATA}/labels/{{split}}.npz"),
        outlines=of_scored(f"{DATA}/labels/{{split}}.cells.npz"),
        images=of_scored(f"{DATA}/annotations/{{split}}.images.parquet"),
        run=f"{RUN}/{run_files.PROVENANCE}",
        instances=instances_of,
    output:
        metrics=f"{RUN}/{{variant}}{run_files.METRICS}",
        coco=f"{RUN}/{{variant}}{run_files.COCO}",
        sizes=f"{RUN}/{{variant}}{run_files.SIZES}",
    log:
        f"{RUN}/{{variant}}{run_files.SCORE.log}",
    benchmark:
        f"{RUN}/{{variant}}{run_files.SCORE.benchmark}"
    wildcard_constraints:
        **WITH_FUSION,
    conda:
        "../../envs/analysis.yaml"
    threads: processors(f"{RUN}/{{variant}}{run_files.SCORE.benchmark}", 4)
    resources:
        **SHORT,
        mem_mb=memory(f"{RUN}/{{variant}}{run_files.SCORE.benchmark}", 4000),
        runtime=minutes(
            f"{RUN}/{{variant}}{run_files.SCORE.benchmark}", 120, MINUTES_OF_SHORT
        ),
    params:
        code=code("score"),
        condition=condition_of,
        data_split=data_split_of,
        min_size=study["scoring"]["min_size"],
    script:
        "../../scripts/score.py"


use rule score as score_from_outside with:
    wildcard_constraints:
        **OF_OUTSIDE,


rule submission:
    """The cells of a run as a submission to Kaggle's Sartorius competition."""
    input:
        labels=f"{RUN}/{{variant}}{run_files.LABELS}",
        images=of_scored(f"{DATA}/annotations/{{split}}.images.parquet"),
    output:
        submission=f"{RUN}/{{variant}}{run_files.SUBMISSION}",
    log:
        f"{RUN}/{{variant}}{run_files.SUBMIT.log}",
    wildcard_constraints:
        **WITH_FUSION,
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=4000,
        runtime=min(60, MINUTES_OF_SHORT),
    params:
        code=code("submission"),
    script:
        "../../scripts/submission.py"


use rule submission as submission_from_outside with:
    wildcard_constraints:
        **OF_OUTSIDE,


rule collect:
    """Tables of an experiment: every image, every run, over seeds, and the training histories."""
    input:
        metrics=of_runs(f"{{variant}}{run_files.METRICS}"),
        coco=of_runs(f"{{variant}}{run_files.COCO}"),
        sizes=of_runs(f"{{variant}}{run_files.SIZES}"),
        segmentation=of_runs(f"{{variant}}{run_files.SEGMENTATION}"),
        trained=of_runs(f"{{variant}}{run_files.METRICS}", studies.trained_runs),
        histories=of_runs(run_files.HISTORY, studies.trained_runs),
        settings=of_runs(run_files.SETTINGS, studies.trained_runs),
        provenance=of_runs(run_files.PROVENANCE, studies.trained_runs),
    output:
        images=f"{TABLES}/images.csv",
        runs=f"{TABLES}/runs.csv",
        summary=report(
            f"{TABLES}/summary.csv",
            caption="../report/summary.rst",
            category="Experiment {experiment}",
            labels={"result": "1 table: scores over seeds"},
        ),
        training=f"{TABLES}/training.csv",
        sizes=f"{TABLES}/sizes.csv",
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


rule pool_folds:
    """Scores of the held-out images of all folds together: every seed, and over seeds."""
    input:
        images=f"{TABLES}/images.csv",
        runs=f"{TABLES}/runs.csv",
    output:
        runs=f"{TABLES}/out_of_fold.csv",
        summary=report(
            f"{TABLES}/out_of_fold_summary.csv",
            caption="../report/out_of_fold.rst",
            category="Experiment {experiment}",
            labels={"result": "1 table: scores of all folds together"},
        ),
    log:
        "results/logs/pool_folds/{dataset}-{experiment}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=4000,
        runtime=min(20, MINUTES_OF_SHORT),
    params:
        code=code("pool_folds"),
        subsets=subsets_of_folds,
    script:
        "../../scripts/pool_folds.py"


rule format_tables:
    """The main scores of an experiment for reading, and which of its conditions differ."""
    input:
        images=f"{TABLES}/images.csv",
        runs=f"{TABLES}/runs.csv",
        training=f"{TABLES}/training.csv",
        published=PUBLISHED,
    output:
        html=report(
            f"{TABLES}/summary.html",
            caption="../report/summary_page.rst",
            category="Experiment {experiment}",
            labels={"result": "1 table: main scores, formatted"},
        ),
        latex=f"{TABLES}/summary.tex",
        comparisons=f"{TABLES}/comparisons.csv",
    log:
        "results/logs/format_tables/{dataset}-{experiment}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=4000,
        runtime=min(20, MINUTES_OF_SHORT),
    params:
        code=code("format_tables"),
        experiment=told_in_captions,
        folds=subsets_of_folds,
    script:
        "../../scripts/format_tables.py"


rule tables:
    """The tables of all experiments."""
    input:
        of_all_experiments(f"{TABLES}/summary.csv"),
        of_all_experiments(f"{TABLES}/summary.html"),
        out_of_fold_tables("out_of_fold.csv", "out_of_fold_summary.csv"),
        [
            of_used_datasets(f"results/{{dataset}}/published/{name}.html")
            for name in KNOWN["paper"]
        ],
