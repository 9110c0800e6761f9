rule download:
    """Fetch LIVECell from its public address; runs where the internet is.

    Pinned checksums, retries and the code that fetches are no params: to pin what was downloaded must
    not train every network again.
    """
    output:
        source=f"{DATA}/source.json",
    log:
        "results/logs/download/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(datasets_made_by("download")),
    conda:
        "../../envs/analysis.yaml"
    params:
        folder=f"{DATA}/source",
        manifest=f"{DATA}/manifest.json",
        settings=settings_of_source,
    script:
        "../../scripts/download.py"


rule simulate:
    """Make a data set in the layout of LIVECell."""
    output:
        source=f"{DATA}/source.json",
    log:
        "results/logs/simulate/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(datasets_made_by("simulate")),
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        code=code("simulate"),
        folder=f"{DATA}/source",
        simulation=settings_of_source,
    script:
        "../../scripts/simulate.py"


rule use_local:
    """Find images and annotations of a data set on this disk."""
    output:
        source=f"{DATA}/source.json",
    log:
        "results/logs/use_local/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(datasets_made_by("use_local")),
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("use_local"),
        settings=settings_of_source,
    script:
        "../../scripts/use_local.py"


rule convert:
    """Deal the images of a public data set to splits and write their masks as COCO files."""
    input:
        annotations=annotations_of_user,
    output:
        source=f"{DATA}/source.json",
    log:
        "results/logs/convert/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(datasets_made_by("convert")),
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        code=lambda wildcards: code("convert", layout_of(wildcards))(wildcards),
        layout=layout_of,
        folder=f"{DATA}/source",
        settings=settings_of_source,
        images=content_of_images_of_user,
    script:
        "../../scripts/convert.py"


rule parse:
    """Annotation tables of a data set, duplicates dropped or kept; all images checked."""
    input:
        source=f"{DATA}/source.json",
        annotations=annotations_of_user,
    output:
        images=expand(
            f"{DATA}/annotations/{{split}}.images.parquet",
            split=SPLITS,
            allow_missing=True,
        ),
        cells=expand(
            f"{DATA}/annotations/{{split}}.cells.parquet",
            split=SPLITS,
            allow_missing=True,
        ),
        problems=f"{DATA}/annotations/problems.csv",
    log:
        "results/logs/parse/{dataset}.log",
    benchmark:
        "results/logs/parse/{dataset}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=memory("results/logs/parse/{dataset}.tsv", 6000),
        runtime=minutes("results/logs/parse/{dataset}.tsv", 60),
    params:
        code=code("parse"),
        duplicates=lambda wildcards: study["datasets"][wildcards.dataset]["duplicates"],
        images=content_of_images_of_user,
    script:
        "../../scripts/parse.py"


rule rasterize:
    """True cells of a split, from its outlines, and label images painted with them."""
    input:
        images=f"{DATA}/annotations/{{split}}.images.parquet",
        cells=f"{DATA}/annotations/{{split}}.cells.parquet",
    output:
        labels=f"{DATA}/labels/{{split}}.npz",
        cells=f"{DATA}/labels/{{split}}.cells.npz",
    log:
        "results/logs/rasterize/{dataset}-{split}.log",
    benchmark:
        "results/logs/rasterize/{dataset}-{split}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: processors("results/logs/rasterize/{dataset}-{split}.tsv", 4)
    resources:
        mem_mb=memory("results/logs/rasterize/{dataset}-{split}.tsv", 6000),
        runtime=minutes("results/logs/rasterize/{dataset}-{split}.tsv", 120),
    params:
        code=code("rasterize"),
        overlap_policy=lambda wildcards: study["datasets"][wildcards.dataset][
            "overlap_policy"
        ],
    script:
        "../../scripts/rasterize.py"


rule pool:
    """Images, labels and true cells of all splits together, for runs that score a fold of them."""
    input:
        images=expand(
            f"{DATA}/annotations/{{split}}.images.parquet",
            split=SPLITS,
            allow_missing=True,
        ),
        labels=expand(f"{DATA}/labels/{{split}}.npz", split=SPLITS, allow_missing=True),
        cells=expand(
            f"{DATA}/labels/{{split}}.cells.npz", split=SPLITS, allow_missing=True
        ),
    output:
        images=f"{DATA}/annotations/{folds.POOLED}.images.parquet",
        labels=f"{DATA}/labels/{folds.POOLED}.npz",
        cells=f"{DATA}/labels/{folds.POOLED}.cells.npz",
    log:
        "results/logs/pool/{dataset}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=code("pool"),
    script:
        "../../scripts/pool.py"


rule tile:
    """Square training tiles of a split."""
    input:
        images=f"{DATA}/annotations/{{split}}.images.parquet",
        labels=f"{DATA}/labels/{{split}}.npz",
    output:
        tiles=TILES,
        content=TILES + CONTENT,
    log:
        "results/logs/tile/{dataset}-{tiling}-{split}.log",
    benchmark:
        "results/logs/tile/{dataset}-{tiling}-{split}.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=memory("results/logs/tile/{dataset}-{tiling}-{split}.tsv", 2000),
        runtime=minutes("results/logs/tile/{dataset}-{tiling}-{split}.tsv", 120),
    params:
        code=code("tile"),
        tiling=lambda wildcards: studies.stored(study["tilings"][wildcards.tiling]),
    script:
        "../../scripts/tile.py"


rule extend:
    """Synthetic images: the cells of each image of a split at new places and other densities."""
    input:
        images=f"{DATA}/annotations/{{split}}.images.parquet",
        cells=f"{DATA}/annotations/{{split}}.cells.parquet",
    output:
        source=f"{EXTENSION}/source.json",
    log:
        "results/logs/extend/{dataset}-{times}-{split}.log",
    benchmark:
        "results/logs/extend/{dataset}-{times}-{split}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: processors("results/logs/extend/{dataset}-{times}-{split}.tsv", 8)
    resources:
        mem_mb=memory("results/logs/extend/{dataset}-{times}-{split}.tsv", 8000),
        runtime=minutes("results/logs/extend/{dataset}-{times}-{split}.tsv", 600),
    params:
        code=code("extend"),
        synthesis=studies.in_order(study["synthesis"]),
    script:
        "../../scripts/extend.py"


use rule parse as parse_extension with:
    input:
        source=f"{EXTENSION}/source.json",
    output:
        images=expand(
            f"{EXTENSION}/annotations/{{part}}.images.parquet",
            part=SPLITS,
            allow_missing=True,
        ),
        cells=expand(
            f"{EXTENSION}/annotations/{{part}}.cells.parquet",
            part=SPLITS,
            allow_missing=True,
        ),
        problems=f"{EXTENSION}/annotations/problems.csv",
    log:
        "results/logs/parse_extension/{dataset}-{times}-{split}.log",
    benchmark:
        "results/logs/parse_extension/{dataset}-{times}-{split}.tsv"
    resources:
        mem_mb=memory(
            "results/logs/parse_extension/{dataset}-{times}-{split}.tsv", 12000
        ),
        runtime=minutes(
            "results/logs/parse_extension/{dataset}-{times}-{split}.tsv", 120
        ),
    params:
        code=code("parse"),
        duplicates="keep",
        images=None,  # made by the workflow


use rule rasterize as rasterize_extension with:
    input:
        images=f"{EXTENSION}/annotations/{{split}}.images.parquet",
        cells=f"{EXTENSION}/annotations/{{split}}.cells.parquet",
    output:
        labels=f"{EXTENSION}/labels.npz",
        cells=f"{EXTENSION}/cells.npz",
    log:
        "results/logs/rasterize_extension/{dataset}-{times}-{split}.log",
    benchmark:
        "results/logs/rasterize_extension/{dataset}-{times}-{split}.tsv"
    threads: processors("results/logs/rasterize_extension/{dataset}-{times}-{split}.tsv", 4)
    resources:
        mem_mb=memory(
            "results/logs/rasterize_extension/{dataset}-{times}-{split}.tsv", 6000
        ),
        runtime=minutes(
            "results/logs/rasterize_extension/{dataset}-{times}-{split}.tsv", 240
        ),
    params:
        code=code("rasterize"),
        overlap_policy="later",  # as they were pasted


use rule tile as tile_extension with:
    input:
        images=f"{EXTENSION}/annotations/{{split}}.images.parquet",
        labels=f"{EXTENSION}/labels.npz",
    output:
        tiles=EXTENSION_TILES,
        content=EXTENSION_TILES + CONTENT,
    log:
        "results/logs/tile_extension/{dataset}-{times}-{tiling}-{split}.log",
    benchmark:
        "results/logs/tile_extension/{dataset}-{times}-{tiling}-{split}.tsv"
    resources:
        mem_mb=memory(
            "results/logs/tile_extension/{dataset}-{times}-{tiling}-{split}.tsv", 4000
        ),
        runtime=minutes(
            "results/logs/tile_extension/{dataset}-{times}-{tiling}-{split}.tsv", 240
        ),


use rule tile as tile_pseudo_labels with:
    input:
        images=f"{PSEUDO}/images.parquet",
        labels=f"{PSEUDO}/labels.npz",
    output:
        tiles=PSEUDO_TILES,
        content=PSEUDO_TILES + CONTENT,
    log:
        "results/logs/tile_pseudo_labels/{dataset}/{subset}/{model}/{heads}/seed-{seed}-{tiling}.log",
    benchmark:
        "results/logs/tile_pseudo_labels/{dataset}/{subset}/{model}/{heads}/seed-{seed}-{tiling}.tsv"
    resources:
        mem_mb=memory(
            "results/logs/tile_pseudo_labels/{dataset}/{subset}/{model}/{heads}/seed-{seed}-{tiling}.tsv",
            4000,
        ),
        runtime=minutes(
            "results/logs/tile_pseudo_labels/{dataset}/{subset}/{model}/{heads}/seed-{seed}-{tiling}.tsv",
            240,
        ),


rule extension_report:
    """How alike synthetic and real images are: features, distances, and their main components."""
    input:
        real_images=f"{DATA}/annotations/{{split}}.images.parquet",
        real_labels=f"{DATA}/labels/{{split}}.npz",
        synthetic_images=f"{EXTENSION}/annotations/{{split}}.images.parquet",
        synthetic_labels=f"{EXTENSION}/labels.npz",
    output:
        features=f"{EXTENSION}/report/features.csv",
        distances=f"{EXTENSION}/report/distances.csv",
        png=report(
            f"{EXTENSION}/report/pca.png",
            caption="../report/extension.rst",
            category="Training and test data",
            labels={
                "result": "figure: synthetic images of {dataset}, {times} for each of {split}"
            },
        ),
        pdf=f"{EXTENSION}/report/pca.pdf",
        caption=f"{EXTENSION}/report/pca.rst",
    log:
        "results/logs/extension_report/{dataset}-{times}-{split}.log",
    conda:
        "../../envs/analysis.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        code=code("extension_report"),
        figure_text=study["figure_text"],
    script:
        "../../scripts/extension_report.py"


rule data_report:
    """Counts, cell sizes and problems of a data set, as tables and a picture."""
    input:
        images=expand(
            f"{DATA}/annotations/{{split}}.images.parquet",
            split=SPLITS,
            allow_missing=True,
        ),
        cells=expand(
            f"{DATA}/annotations/{{split}}.cells.parquet",
            split=SPLITS,
            allow_missing=True,
        ),
        problems=f"{DATA}/annotations/problems.csv",
    output:
        counts=f"{DATA}/report/counts.csv",
        problems=f"{DATA}/report/problems.csv",
        sizes=f"{DATA}/report/cell_sizes.csv",
        png=report(
            f"{DATA}/report/data.png",
            caption="../report/data.rst",
            category="Training and test data",
            labels={"result": "figure: images and cells of {dataset}"},
        ),
        pdf=f"{DATA}/report/data.pdf",
        caption=f"{DATA}/report/data.rst",
    log:
        "results/logs/data_report/{dataset}.log",
    priority: 1  # before any training: it refuses ensembles that have too few images
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code("data_report"),
        ensembles=ensembles_on,
        figure_text=study["figure_text"],
    script:
        "../../scripts/data_report.py"


rule data:
    """Tiles and data report of every data set that the study uses."""
    input:
        used_tiles(),
        of_used_datasets(f"{DATA}/report/data.png"),
        extension_figures(),


rule prefetch:
    """Everything that needs the internet: run it where the internet is, before the study."""
    input:
        of_used_datasets(f"{DATA}/source.json", TRAINED_FROM),
        used_weights(),


onstart:
    keep_going_to_fetch()


onerror:
    say_what_was_not_fetched()
