rule figure:
    """One figure of an experiment, from its tables."""
    input:
        images=f"{TABLES}/images.csv",
        runs=f"{TABLES}/runs.csv",
        training=f"{TABLES}/training.csv",
        sizes=f"{TABLES}/sizes.csv",
    output:
        pdf=f"{FIGURES}/{{figure}}.pdf",
        png=report(
            f"{FIGURES}/{{figure}}.png",
            caption="../report/figure.rst",
            category="Experiment {experiment}",
            labels={"result": "2 figure: {figure}"},
        ),
        caption=f"{FIGURES}/{{figure}}.rst",
    log:
        "results/logs/figure/{dataset}-{experiment}-{figure}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=2000,
        runtime=min(20, MINUTES_OF_SHORT),
    params:
        code=code("figure"),
        figure="{figure}",
        figure_text=study["figure_text"],
        folds=subsets_of_folds,
        question=question_of,
    script:
        "../../scripts/figure.py"


rule contact_sheet:
    """Best, median and worst image of an experiment with outlines, a row a condition."""
    input:
        predicted=of_runs(f"{{variant}}{run_files.LABELS}", studies.first_runs),
        metrics=of_runs(f"{{variant}}{run_files.METRICS}", studies.first_runs),
        truth=f"{DATA}/labels/{study['scoring']['data_split']}.npz",
        images=f"{DATA}/annotations/{study['scoring']['data_split']}.images.parquet",
    output:
        pdf=f"{FIGURES}/contact-sheet.pdf",
        png=report(
            f"{FIGURES}/contact-sheet.png",
            caption="../report/contact_sheet.rst",
            category="Experiment {experiment}",
            labels={"result": "2 figure: contact-sheet"},
        ),
        caption=f"{FIGURES}/contact-sheet.rst",
    log:
        "results/logs/figure/{dataset}-{experiment}-contact-sheet.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code("contact_sheet"),
        question=question_of,
        runs=first_runs,
        figure_text=study["figure_text"],
        pixel_size=pixel_size_of,
        tuning=lambda wildcards: study["experiments"][wildcards.experiment][
            "threshold_search"
        ],
        tuned_by=tuned_by,
    script:
        "../../scripts/contact_sheet.py"


ruleorder: contact_sheet > figure


rule overlay:
    """Images of a run with maps and the outlines of true and predicted cells."""
    input:
        maps=f"{RUN}/{{variant}}{run_files.OVERLAY_PREDICTIONS}",
        predicted=f"{RUN}/{{variant}}{run_files.LABELS}",
        truth=of_scored(f"{DATA}/labels/{{split}}.npz"),
        metrics=f"{RUN}/{{variant}}{run_files.METRICS}",
        images=of_scored(f"{DATA}/annotations/{{split}}.images.parquet"),
        segmentation=settings_of_painting,
    output:
        png=f"{RUN}/{{variant}}{run_files.OVERLAY_PNG}",
        preview=report(
            f"{RUN}/{{variant}}{run_files.OVERLAY_PREVIEW}",
            caption="../report/overlay.rst",
            category="Single runs",
            subcategory="overlays",
            labels=run_label,
        ),
        pdf=f"{RUN}/{{variant}}{run_files.OVERLAY_PDF}",
        caption=f"{RUN}/{{variant}}{run_files.OVERLAY_CAPTION}",
    log:
        f"{RUN}/{{variant}}{run_files.OVERLAY.log}",
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=4000,
        runtime=min(30, MINUTES_OF_SHORT),
    params:
        code=code("overlay"),
        tuning=tuning_of,
        tuned_by=tuned_by,
        method=name_of_method,
        images=study["overlays"]["images"],
        boxes=draws_boxes,
        figure_text=study["figure_text"],
        pixel_size=pixel_size_of,
    script:
        "../../scripts/overlay.py"


use rule overlay as overlay_of_fusion with:
    input:
        maps=f"{RUN}/{run_files.INSTANCES}",
        predicted=f"{RUN}/{{variant}}{run_files.LABELS}",
        truth=of_scored(f"{DATA}/labels/{{split}}.npz"),
        metrics=f"{RUN}/{{variant}}{run_files.METRICS}",
        images=of_scored(f"{DATA}/annotations/{{split}}.images.parquet"),
        segmentation=settings_of_painting,
    wildcard_constraints:
        **OF_FUSION,


use rule overlay as overlay_from_outside with:
    input:
        predicted=f"{RUN}/{{variant}}{run_files.LABELS}",
        truth=of_scored(f"{DATA}/labels/{{split}}.npz"),
        metrics=f"{RUN}/{{variant}}{run_files.METRICS}",
        images=of_scored(f"{DATA}/annotations/{{split}}.images.parquet"),
    wildcard_constraints:
        **OF_OUTSIDE,


rule learning_curve:
    """Losses of one run by epoch."""
    input:
        history=f"{RUN}/{run_files.HISTORY}",
    output:
        png=report(
            f"{RUN}/{run_files.CURVE_PNG}",
            caption="../report/learning_curve.rst",
            category="Single runs",
            subcategory="learning curves",
            labels=run_label,
        ),
        pdf=f"{RUN}/{run_files.CURVE_PDF}",
        caption=f"{RUN}/{run_files.CURVE_CAPTION}",
    log:
        f"{RUN}/{run_files.LEARNING_CURVE.log}",
    conda:
        "../../envs/analysis.yaml"
    resources:
        **SHORT,
        mem_mb=2000,
        runtime=min(20, MINUTES_OF_SHORT),
    params:
        code=code("learning_curve"),
        figure_text=study["figure_text"],
    script:
        "../../scripts/learning_curve.py"


rule search_figure:
    """Scores of a search's trials by each setting that was searched."""
    input:
        trials=trials_of,
    output:
        pdf=f"{SEARCH}/search.pdf",
        png=report(
            f"{SEARCH}/search.png",
            caption="../report/search.rst",
            category="Searches",
            labels={"search": "{search}"},
        ),
        caption=f"{SEARCH}/search.rst",
    log:
        "results/logs/search_figure/{dataset}-{search}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=code("search_figure"),
        figure_text=study["figure_text"],
        search=lambda wildcards: studies.in_order(
            {
                key: study["hyperparameter_searches"][wildcards.search][key]
                for key in ("title", "model", "heads", "subset", "space")
            }
        ),
    script:
        "../../scripts/search_figure.py"


rule figures:
    """All figures of all experiments."""
    input:
        of_all_experiments(f"{FIGURES}/{{figure}}.pdf"),
        of_all_experiments(f"{FIGURES}/{{figure}}.png"),


rule overlays:
    """Overlay and learning curve of every run."""
    input:
        of_all_runs(
            f"{{variant}}{run_files.OVERLAY_PNG}",
            f"{{variant}}{run_files.OVERLAY_PREVIEW}",
        ),
        of_all_runs(run_files.CURVE_PNG, trained=True),
