"""Detections of several runs, fused into those of one."""

import os
import platform

import numba

from cellseg.inference import fusion
from cellseg.io import atomic, made_files, run_format
from cellseg.io.wording import number_of
from cellseg.runtime.script import running
from cellseg.study import fusion_names
from cellseg.training import provenance

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    settings, paths = snakemake.params.fusion, list(snakemake.input.maps)
    images = fusion.fuse_runs(paths, settings["weights"], settings["iou"], snakemake.output.maps)
    fused = number_of(len(paths), "run")
    print(f"Fused the detections of {fused} in {number_of(len(images), 'image')}.")
    made = snakemake.output.get("provenance")  # of the images to be scored, not of the validation
    if made:
        runs = [made_files.read_json(path) for path in snakemake.input.get("runs")]
        trained = sorted({image for run in runs for image in run["train_images"]})
        validated = set.intersection(*(set(run["val_images"]) for run in runs))
        versions = {"numba": numba.__version__}
        about = {
            fusion_names.MEMBERS: paths,
            "train_images": trained,
            "val_images": sorted(validated),
        }
        device = platform.processor() or "cpu"
        atomic.write_json(made, provenance.record(settings, versions, device, **about))
        own = os.path.dirname(made)
        folders = [os.path.relpath(os.path.dirname(path), own) for path in paths]
        of_run = fusion_names.settings(folders, settings["weights"], settings["iou"])
        atomic.write_json(snakemake.output.get("settings"), run_format.stamped(of_run))
