rule apply:
    """Cells of your images, found by a trained run or the starter network; `apply` in the config says which.

    The run is no input: it is taken as it is, and never trained again on the way.
    """
    output:
        overview=f"{APPLIED}/overview.html",
        cells=f"{APPLIED}/cells.csv",
        images=f"{APPLIED}/images.csv",
        skipped=f"{APPLIED}/skipped.csv",
    log:
        f"{APPLIED}/apply.log",
    conda:
        environment_of
    threads: 4
    resources:
        **OF_NETWORKS,
        gpu=GPUS,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        code=code(
            "apply",
            *(one.module for one in families.FAMILIES.values()),
            *METHOD_MODULES,
        ),
        # Which run and which images: their names, sizes and dates.
        chosen=chosen_for_apply,
        apply=studies.in_order(study["apply"]),
    script:
        "../../scripts/apply.py"


rule export:
    """A trained run as one file that can be given away, and is used without this workflow."""
    input:
        weights=weights_to_export,
        settings=f"{RUN}/{run_files.SETTINGS}",
        provenance=f"{RUN}/{run_files.PROVENANCE}",
        segmentation=f"{RUN}/{{variant}}{run_files.SEGMENTATION}",
        metrics=f"{RUN}/{{variant}}{run_files.METRICS}",
        coco=f"{RUN}/{{variant}}{run_files.COCO}",
        images=[
            f"{DATA}/annotations/train.images.parquet",
            f"{DATA}/annotations/val.images.parquet",
        ],
    output:
        export=f"{RUN}/{{variant}}{run_files.EXPORTED}",
    log:
        f"{RUN}/{{variant}}{run_files.EXPORT.log}",
    conda:
        environment_of
    threads: 2
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        code=code_with_family("export", facts=True, also=method_modules),
        kind=lambda wildcards: study["datasets"][wildcards.dataset]["kind"],
        pixel_size=pixel_size_of,
    script:
        "../../scripts/export.py"


use rule export as export_of_fusion with:
    input:
        settings=f"{RUN}/{run_files.SETTINGS}",
        provenance=f"{RUN}/{run_files.PROVENANCE}",
        segmentation=f"{RUN}/{{variant}}{run_files.SEGMENTATION}",
        metrics=f"{RUN}/{{variant}}{run_files.METRICS}",
        coco=f"{RUN}/{{variant}}{run_files.COCO}",
        images=[
            f"{DATA}/annotations/train.images.parquet",
            f"{DATA}/annotations/val.images.parquet",
        ],
        weights=of_exported_members(run_files.WEIGHTS),
        member_settings=of_exported_members(run_files.SETTINGS),
        member_provenance=of_exported_members(run_files.PROVENANCE),
    wildcard_constraints:
        **OF_FUSION,


onsuccess:
    say_where_to_look()
