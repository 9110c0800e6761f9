rule fetch_weights:
    """Fetch a pretrained backbone; runs where the internet is."""
    output:
        weights=PRETRAINED,
    log:
        "results/logs/fetch_weights/{pretrained}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("fetch_weights"),
        source=lambda wildcards: studies.in_order(
            study["pretrained"][wildcards.pretrained]
        ),
    script:
        "../../scripts/fetch_weights.py"


rule train:
    """Train one network."""
    input:
        train_tiles=tiles_of("train"),
        val_tiles=tiles_of("val"),
        train_images=f"{DATA}/annotations/train.images.parquet",
        val_images=f"{DATA}/annotations/val.images.parquet",
        fold_tiles=fold_tiles_of,
        fold_images=fold_images_of,
        extension_tiles=extension_tiles_of,
        outlines=outlines_of,
        content_of_tiles=content_of_tiles,
        weights=weights_of,
        start=start_of,
        pseudo_labels=pseudo_labels_of,
    output:
        weights=f"{RUN}/{run_files.WEIGHTS}",
        history=f"{RUN}/{run_files.HISTORY}",
        settings=f"{RUN}/{run_files.SETTINGS}",
        provenance=f"{RUN}/{run_files.PROVENANCE}",
    log:
        f"{RUN}/{run_files.TRAIN.log}",
    benchmark:
        f"{RUN}/{run_files.TRAIN.benchmark}"
    wildcard_constraints:
        **OF_TRAINED,
    conda:
        environment_of
    threads: 4
    resources:
        **OF_NETWORKS,
        gpu=GPUS,
        mem_mb=memory_of_training(f"{RUN}/{run_files.TRAIN.benchmark}"),
        runtime=minutes_of_training(f"{RUN}/{run_files.TRAIN.benchmark}", 24 * 60),
    params:
        code=code_with_family("train"),
        settings=settings_of,
    script:
        "../../scripts/train.py"


rule join_folds:
    """Put the networks of all folds into one run, which predicts with each of them."""
    input:
        weights=of_members(run_files.WEIGHTS),
        provenance=of_members(run_files.PROVENANCE),
    output:
        weights=f"{RUN}/{run_files.WEIGHTS}",
        settings=f"{RUN}/{run_files.SETTINGS}",
        provenance=f"{RUN}/{run_files.PROVENANCE}",
    log:
        f"{RUN}/{run_files.JOIN_FOLDS.log}",
    wildcard_constraints:
        **OF_JOINED,
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=4000,
        runtime=min(60, MINUTES_OF_SHORT),
    params:
        code=code("join_folds"),
        settings=settings_of,
    script:
        "../../scripts/join_folds.py"
