rule predict:
    """Predict the maps of whole images."""
    input:
        weights=f"{RUN}/{run_files.WEIGHTS}",
        settings=f"{RUN}/{run_files.SETTINGS}",
        images=of_scored(f"{DATA}/annotations/{{split}}.images.parquet", listed=True),
    output:
        maps=passing(f"{RUN}/{run_files.PREDICTIONS}"),
    log:
        f"{RUN}/{run_files.PREDICT.log}",
    benchmark:
        f"{RUN}/{run_files.PREDICT.benchmark}"
    wildcard_constraints:
        **OF_MAPS,
    conda:
        environment_of
    threads: 4
    resources:
        **OF_NETWORKS,
        gpu=GPUS,
        mem_mb=memory_of_prediction(f"{RUN}/{run_files.PREDICT.benchmark}"),
        runtime=minutes(f"{RUN}/{run_files.PREDICT.benchmark}", 120),
    params:
        code=code_with_family("predict"),
        prediction=studies.in_order(study["prediction"]),
        channels=channels_of,
        subsample=study["scoring"]["subsample"],
        sample=sample_of,
    script:
        "../../scripts/predict.py"


use rule predict as predict_instances with:
    output:
        maps=f"{RUN}/{run_files.INSTANCES}",
    wildcard_constraints:
        **OF_INSTANCES,


use rule predict as predict_validation with:
    input:
        weights=f"{RUN}/{run_files.WEIGHTS}",
        settings=f"{RUN}/{run_files.SETTINGS}",
        run=f"{RUN}/{run_files.PROVENANCE}",
        images=of_splits(f"{DATA}/annotations/{{split}}.images.parquet"),
    output:
        maps=passing(f"{RUN}/tuning-{{tuning}}/{run_files.VALIDATION_PREDICTIONS}"),
    log:
        f"{RUN}/tuning-{{tuning}}/{run_files.PREDICT_VALIDATION.log}",
    benchmark:
        f"{RUN}/tuning-{{tuning}}/{run_files.PREDICT_VALIDATION.benchmark}"
    wildcard_constraints:
        **OF_NETWORK,
    resources:
        **OF_NETWORKS,
        gpu=GPUS,
        mem_mb=memory_of_prediction(
            f"{RUN}/tuning-{{tuning}}/{run_files.PREDICT_VALIDATION.benchmark}"
        ),
        runtime=minutes(
            f"{RUN}/tuning-{{tuning}}/{run_files.PREDICT_VALIDATION.benchmark}", 120
        ),
    params:
        code=code_with_family("predict"),
        prediction=studies.in_order(study["prediction"]),
        channels=channels_of,
        subsample=lambda wildcards: study["threshold_searches"][wildcards.tuning][
            "subsample"
        ],
        sample=None,  # of all images that the run was validated with


rule fuse:
    """Detections of several runs, fused into those of one."""
    input:
        maps=of_members(run_files.INSTANCES),
        runs=of_members(run_files.PROVENANCE),
    output:
        maps=f"{RUN}/{run_files.INSTANCES}",
        settings=f"{RUN}/{run_files.SETTINGS}",
        provenance=f"{RUN}/{run_files.PROVENANCE}",
    log:
        f"{RUN}/{run_files.FUSE.log}",
    benchmark:
        f"{RUN}/{run_files.FUSE.benchmark}"
    wildcard_constraints:
        **OF_FUSION,
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=memory(f"{RUN}/{run_files.FUSE.benchmark}", 4000),
        runtime=minutes(f"{RUN}/{run_files.FUSE.benchmark}", 60, MINUTES_OF_SHORT),
    params:
        code=code("fuse"),
        fusion=fusion_of,
    script:
        "../../scripts/fuse.py"


use rule fuse as fuse_validation with:
    input:
        maps=of_members(f"tuning-{{tuning}}/{run_files.VALIDATION_PREDICTIONS}"),
    output:
        maps=passing(f"{RUN}/tuning-{{tuning}}/{run_files.VALIDATION_PREDICTIONS}"),
    log:
        f"{RUN}/tuning-{{tuning}}/{run_files.FUSE_VALIDATION.log}",
    benchmark:
        f"{RUN}/tuning-{{tuning}}/{run_files.FUSE_VALIDATION.benchmark}"
    resources:
        **SHORT,
        mem_mb=memory(
            f"{RUN}/tuning-{{tuning}}/{run_files.FUSE_VALIDATION.benchmark}", 4000
        ),
        runtime=minutes(
            f"{RUN}/tuning-{{tuning}}/{run_files.FUSE_VALIDATION.benchmark}",
            60,
            MINUTES_OF_SHORT,
        ),


rule pseudo_label:
    """Cells of unlabelled images, found by a run for others to learn."""
    input:
        weights=weights_of_finder,
        settings=of_finder(run_files.SETTINGS),
        provenance=of_finder(run_files.PROVENANCE),
        tuned=tuned_for_finder,
        known=expand(
            f"{DATA}/annotations/{{split}}.images.parquet",
            split=SPLITS,
            allow_missing=True,
        ),
    output:
        images=f"{PSEUDO}/images.parquet",
        labels=f"{PSEUDO}/{run_files.LABELS}",
        cells=f"{PSEUDO}/labels.cells.npz",
        table=f"{PSEUDO}/images.csv",
        about=f"{PSEUDO}/about.json",
        picture=f"{PSEUDO}/pseudo-labels.jpg",
    log:
        "results/logs/pseudo_label/{dataset}/{subset}/{model}/{heads}/seed-{seed}.log",
    benchmark:
        "results/logs/pseudo_label/{dataset}/{subset}/{model}/{heads}/seed-{seed}.tsv"
    wildcard_constraints:
        **OF_NETWORK,
    conda:
        environment_of
    threads: 4
    resources:
        **OF_NETWORKS,
        gpu=GPUS,
        mem_mb=memory_of_prediction(
            "results/logs/pseudo_label/{dataset}/{subset}/{model}/{heads}/seed-{seed}.tsv"
        ),
        runtime=minutes(
            "results/logs/pseudo_label/{dataset}/{subset}/{model}/{heads}/seed-{seed}.tsv",
            240,
        ),
    params:
        code=code_with_family("pseudo_label", also=method_modules),
        segmentation=segmentation_of,
        prediction=studies.in_order(study["prediction"]),
        run=named_finder,
        kind=kind_of_finder,
        floor=floor_of,
        images=unlabelled,
        content=content_of_unlabelled,
    script:
        "../../scripts/pseudo_label.py"


rule predict_shown:
    """Predict once more the few images that an overlay shows; the maps of all may be gone by then."""
    input:
        weights=f"{RUN}/{run_files.WEIGHTS}",
        settings=f"{RUN}/{run_files.SETTINGS}",
        images=of_scored(f"{DATA}/annotations/{{split}}.images.parquet", listed=True),
        metrics=f"{RUN}/{{variant}}{run_files.METRICS}",
    output:
        maps=f"{RUN}/{{variant}}{run_files.OVERLAY_PREDICTIONS}",
    log:
        f"{RUN}/{{variant}}{run_files.PREDICT_SHOWN.log}",
    conda:
        environment_of
    threads: 4
    resources:
        **SHORT,
        mem_mb=memory_of_prediction(f"{RUN}/{run_files.PREDICT.benchmark}", gpu=False),
        runtime=min(60, MINUTES_OF_SHORT),
    params:
        code=code_with_family("predict_shown"),
        prediction=studies.in_order(study["prediction"]),
        channels=channels_of,
        shown=study["overlays"]["images"],
    script:
        "../../scripts/predict_shown.py"
