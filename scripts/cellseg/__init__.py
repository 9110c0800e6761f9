"""Cell segmentation on LIVECell: data, targets, training, watershed, scores and figures.

A package is a stage of the work. It imports only packages that are listed below it::

    apply                      a trained run on a folder of images
    export                     a trained run as one file to hand on
    report                     the pages that show a study
    figures                    pictures of tables, scores and cells
    tables                     scores of runs, collected, compared and formatted
    plan                       what a study would run: jobs, training steps, hours
    live                       what a call of Snakemake shows while it works
    progress                   how far a study is
    space                      what a study takes on disk
    search                     hyperparameter searches by successive halving
    jobs                       what a job asks for, its files, and what became of it
    tuning                     thresholds, chosen on validation images
    scoring                    predicted cells against annotated ones
    segmentation               maps to cells
    inference                  images to maps
    study                      the configuration, checked, and the runs that it asks for
    models                     families of networks
    training                   batches, augmentation, steps, checkpoints
    synthesis                  synthetic images from cells of real ones
    simulate                   simulated images
    data                       files of images and annotations to tables, label images and tiles
    targets                    label images to what a network learns
    images                     image files to grey values
    starter                    the network that comes with the library
    runtime                    a script as a process: log, signals, GPU, code
    io                         files that appear whole or not at all
    errors                     errors for the user

The library knows arrays, tables and files that it is handed; it knows neither Snakemake nor the
workflow's folders. Deep-learning libraries are imported by :mod:`cellseg.models` only.
"""
