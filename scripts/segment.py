"""Cells of every image, from the predicted maps of one run."""

from cellseg.inference import stores
from cellseg.io import atomic, run_format
from cellseg.runtime.script import running
from cellseg.segmentation import by_cell_type, run

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    tuned = snakemake.input.get("tuned")
    chosen = {"segmentation": snakemake.params.segmentation}
    if tuned:
        chosen = run_format.read(tuned, "segmentation")
    store = stores.open(snakemake.input.maps)
    others, by_type = {}, {}
    if by_cell_type.KEY in chosen:
        known = by_cell_type.types_of([snakemake.input.images])
        types = by_cell_type.of_images(known, store.images, snakemake.input.maps)
        others = by_cell_type.own_settings(chosen, types)
        by_type = by_cell_type.record(chosen, types)
        print(by_cell_type.in_words(chosen, types))
    run.segment_run(
        maps=snakemake.input.maps,
        labels=snakemake.output.labels,
        cells=snakemake.output.cells,
        settings=chosen["segmentation"],
        threads=snakemake.threads,
        others=others,
    )
    about = {
        "condition": snakemake.params.condition,
        "tuning": snakemake.params.tuning,
        "prediction": store.prediction,
        "segmentation": chosen["segmentation"],
        **by_type,
    }
    atomic.write_json(snakemake.output.settings, run_format.stamped(about))
