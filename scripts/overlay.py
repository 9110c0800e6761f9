"""Draw outlines of true and predicted cells on a few test images of a run."""

from cellseg.figures import overlay, overlay_cases, preview, style
from cellseg.report import figure_caption
from cellseg.runtime.script import running
from cellseg.tables import conditions

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    cases = overlay_cases.load(
        maps=snakemake.input.get("maps"),
        truth=snakemake.input.truth,
        prediction=snakemake.input.predicted,
        metrics=snakemake.input.metrics,
        images=snakemake.input.images,
        method=snakemake.params.method,
        count=snakemake.params.images,
        segmentation=snakemake.input.get("segmentation") or None,
    )
    tuning = snakemake.params.tuning
    each = " for each cell type" if snakemake.params.tuned_by else ""
    with style.with_text(snakemake.params.figure_text):
        figure = overlay.overlay(
            cases,
            title=conditions.run_name(snakemake.wildcards)
            + (f" · tuned: {tuning}{each}" if tuning else ""),
            note=overlay_cases.note(cases, snakemake.params.boxes),
            boxes=snakemake.params.boxes,
            pixel_size=snakemake.params.pixel_size,
        )
    figure_caption.write(figure, snakemake.output.caption)
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
    preview.write(snakemake.output.png, snakemake.output.preview)
