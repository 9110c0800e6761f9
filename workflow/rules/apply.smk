rule apply:
    """Cells of images of your own, found by a trained run; `apply` in the config says which.

    The run is no input: it is taken as it is, and never trained again on the way.
    """
    output:
        overview=f"{APPLIED}/overview.html",
        cells=f"{APPLIED}/cells.csv",
        images=f"{APPLIED}/images.csv",
        skipped=f"{APPLIED}/skipped.csv",
    log:
        f"{APPLIED}/apply.log",
    benchmark:
        f"{APPLIED}/benchmark.tsv"
    conda:
        f"../../envs/train-{study['accelerator']}.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=memory(f"{APPLIED}/benchmark.tsv", 8000),
        runtime=minutes(f"{APPLIED}/benchmark.tsv", 240),
    params:
        code=code("apply", *families.FAMILIES.values()),
        # Which run and which images: their names, sizes and dates.
        chosen=chosen_for_apply,
        apply=studies.in_order(study["apply"]),
        prediction=studies.in_order(study["prediction"]),
    script:
        "../../scripts/apply.py"
