"""Cell segmentation on LIVECell: data, targets, training, watershed, scores and figures.

The library knows arrays, tables and files that it is handed; it knows neither Snakemake nor the
workflow's folders. TensorFlow is imported by :mod:`cellseg.models` only.
"""
