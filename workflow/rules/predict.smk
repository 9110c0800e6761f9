rule predict:
    """Predict the maps of whole images."""
    input:
        weights=f"{RUN}/weights.h5",
        settings=f"{RUN}/settings.json",
        images=[f"{DATA}/annotations/{study['scoring']['data_split']}.images.parquet"],
    output:
        maps=passing(f"{RUN}/predictions.zip"),
    log:
        f"{RUN}/logs/predict.log",
    benchmark:
        f"{RUN}/benchmarks/predict.tsv"
    conda:
        f"../../envs/train-{study['accelerator']}.yaml"
    threads: 4
    resources:
        **OF_NETWORKS,
        gpu=GPUS,
        mem_mb=memory_of_prediction(f"{RUN}/benchmarks/predict.tsv"),
        runtime=minutes(f"{RUN}/benchmarks/predict.tsv", 120),
    params:
        code=code_with_family("predict"),
        prediction=studies.in_order(study["prediction"]),
        channels=channels_of,
        subsample=study["scoring"]["subsample"],
    script:
        "../../scripts/predict.py"


use rule predict as predict_validation with:
    input:
        weights=f"{RUN}/weights.h5",
        settings=f"{RUN}/settings.json",
        run=f"{RUN}/provenance.json",
        images=[
            f"{DATA}/annotations/train.images.parquet",
            f"{DATA}/annotations/val.images.parquet",
        ],
    output:
        maps=passing(f"{RUN}/tuning-{{tuning}}/validation-predictions.zip"),
    log:
        f"{RUN}/tuning-{{tuning}}/logs/predict.log",
    benchmark:
        f"{RUN}/tuning-{{tuning}}/benchmarks/predict.tsv"
    resources:
        **OF_NETWORKS,
        gpu=GPUS,
        mem_mb=memory_of_prediction(f"{RUN}/tuning-{{tuning}}/benchmarks/predict.tsv"),
        runtime=minutes(f"{RUN}/tuning-{{tuning}}/benchmarks/predict.tsv", 120),
    params:
        code=code_with_family("predict"),
        prediction=studies.in_order(study["prediction"]),
        channels=channels_of,
        subsample=lambda wildcards: study["threshold_searches"][wildcards.tuning][
            "subsample"
        ],


rule predict_shown:
    """Predict once more the few images that an overlay shows; the maps of all may be gone by then."""
    input:
        weights=f"{RUN}/weights.h5",
        settings=f"{RUN}/settings.json",
        images=[f"{DATA}/annotations/{study['scoring']['data_split']}.images.parquet"],
        metrics=f"{RUN}/{{variant}}metrics.csv",
    output:
        maps=f"{RUN}/{{variant}}overlay-predictions.zip",
    log:
        f"{RUN}/{{variant}}logs/predict_shown.log",
    conda:
        f"../../envs/train-{study['accelerator']}.yaml"
    threads: 4
    resources:
        **SHORT,
        mem_mb=memory_of_prediction(f"{RUN}/benchmarks/predict.tsv", gpu=False),
        runtime=min(60, MINUTES_OF_SHORT),
    params:
        code=code_with_family("predict_shown"),
        prediction=studies.in_order(study["prediction"]),
        channels=channels_of,
        shown=study["overlays"]["images"],
    script:
        "../../scripts/predict_shown.py"
