"""Each table of scores has its own values in each column, row and treatment of small objects.

Expected values are computed by hand: from small label images, or from tables in which every column,
image, cell type, treatment and seed has another value.
"""

import json
import runpy
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_figure_columns import MODELS, SEEDS, Experiment, interval

from cellseg.data import true_cells
from cellseg.data.label_folder import encode
from cellseg.io import atomic, run_format
from cellseg.report import terminal_summary
from cellseg.scoring import coco_average_precision, metrics, pooled_pixels
from cellseg.scoring import names as score_names
from cellseg.scoring import run as scoring
from cellseg.segmentation import confidence
from cellseg.tables import collect, comparisons, glossary
from cellseg.tables.glossary import KNOWN

CONDITION = {"dataset": "d", "model": "m", "heads": "fgbg", "subset": "s", "seed": 3}
SMALLEST = 15  # pixels
# Columns of true and predicted cells, three rows high: IoU 0.96, 0.8, 0.7 and 0.6.
LARGE = [((0, 24), (0, 25)), ((30, 50), (30, 46)), ((60, 80), (66, 80)), ((90, 110), (98, 110))]
IMAGES = {
    # Small: one found, one missed; and one gained.
    "a": ("A172", [*LARGE, ((120, 123), (120, 123)), ((130, 133), None), (None, (140, 143))]),
    "b": ("BV2", [LARGE[0], LARGE[2], ((120, 123), None), (None, (150, 170))]),
    "c": ("BV2", [LARGE[1], ((200, 216), None), (None, (220, 222)), ((230, 233), (230, 233))]),
}


def painted(cells, smallest=0):
    """Label image of those cells that have at least `smallest` pixels; labels stay theirs."""
    labels = np.zeros((3, 400), np.int32)
    for value, (start, end) in enumerate(cells, 1):
        if 3 * (end - start) >= smallest:
            labels[:, start:end] = value
    return labels


def pairs(image, smallest=0):
    """True and predicted label image."""
    cells = IMAGES[image][1]
    true, pred = ([pair[side] for pair in cells if pair[side]] for side in (0, 1))
    return painted(true, smallest), painted(pred, smallest)


def confidences(image):
    """Of each predicted cell; those of image b are the surest."""
    number = int(pairs(image)[1].max())
    return np.linspace(0.2, 0.5, number) + {"a": 0.1, "b": 0.4, "c": 0.0}[image]


def by_hand(true, pred):
    """Scores and counts of cells and pixels, from the IoU of all pairs."""
    areas = [np.bincount(labels.ravel(), minlength=1)[1:] for labels in (true, pred)]
    values = [[value for value in np.unique(labels) if value] for labels in (true, pred)]
    ious = []
    for t in values[0]:
        for p in values[1]:
            both = np.count_nonzero((true == t) & (pred == p))
            ious.append(both / (areas[0][t - 1] + areas[1][p - 1] - both))
    n_true, n_pred = map(len, values)
    found = {"n_true": n_true, "n_pred": n_pred}
    accuracies = []
    for level in range(50, 100, 5):
        tp = sum(iou >= level / 100 for iou in ious)
        found |= {f"precision_{level}": tp / n_pred, f"recall_{level}": tp / n_true}
        found[f"f1_{level}"] = 2 * tp / (n_true + n_pred)
        accuracies.append(tp / (n_true + n_pred - tp))
    found |= {"msa": np.mean(accuracies), "sa50": accuracies[0], "sa75": accuracies[5]}
    both, either = (
        np.count_nonzero((true > 0) & (pred > 0)),
        np.count_nonzero((true > 0) | (pred > 0)),
    )
    found |= {"true_pixels": np.count_nonzero(true), "pred_pixels": np.count_nonzero(pred)}
    found |= {
        "shared_pixels": both,
        "pixel_iou": both / either,
        "pixel_f1": 2 * both / (both + either),
    }
    return found | metrics.error_counts(true, pred)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """The three tables of a run."""
    folder = tmp_path_factory.mktemp("scored")
    truth = {image: pairs(image)[0] for image in IMAGES}
    predicted = {image: pairs(image)[1] for image in IMAGES}
    atomic.write_stack(folder / "truth.npz", truth.items())
    atomic.write_stack(folder / "labels.npz", predicted.items())
    outlines = (
        array
        for image, labels in truth.items()
        for array in true_cells.arrays(image, true_cells.draw(list(encode(labels)), *labels.shape))
    )
    atomic.write_stack(folder / "outlines.npz", outlines)
    sure = {image: (np.bincount(labels.ravel())[1:], confidences(image))
            for image, labels in predicted.items()}  # fmt: skip
    confidence.write(folder / "cells.parquet", sure)
    kinds = [{"image": image, "cell_type": kind} for image, (kind, _) in IMAGES.items()]
    pd.DataFrame(kinds[::-1]).to_parquet(folder / "images.parquet")
    scoring.score_run(
        folder / "truth.npz", folder / "outlines.npz", folder / "images.parquet",
        folder / "labels.npz", folder / "cells.parquet", folder / "metrics.csv",
        folder / "coco.csv", folder / "sizes.csv", CONDITION, "test", SMALLEST, threads=1,
    )  # fmt: skip
    return {name: pd.read_csv(folder / f"{name}.csv") for name in ("metrics", "coco", "sizes")}


TREATED = {"kept": 0, "removed": SMALLEST}
GROUPS = {"all": "abc", "A172": "a", "BV2": "bc"}


def rows_of(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    return table


@pytest.mark.parametrize("small", TREATED)
@pytest.mark.parametrize("image", IMAGES)
def test_scores_of_an_image(scored, image, small):
    (row,) = rows_of(scored["metrics"], image=image, small_objects=small).to_dict("records")
    expected = by_hand(*pairs(image, TREATED[small]))
    assert expected.keys() == {*score_names.COLUMNS, *pooled_pixels.COUNTS}
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert row["cell_type"] == IMAGES[image][0] and row["data_split"] == "test"
    assert {name: row[name] for name in CONDITION} == CONDITION


@pytest.mark.parametrize("small", TREATED)
@pytest.mark.parametrize("kind", GROUPS)
def test_coco_scores_of_a_cell_type(scored, kind, small):
    (row,) = rows_of(scored["coco"], cell_type=kind, small_objects=small).to_dict("records")
    matches = []
    for image in GROUPS[kind]:
        true, pred = pairs(image, TREATED[small])
        outlines = list(encode(_dense(true)))
        areas = np.array([area for area in np.bincount(true.ravel())[1:] if area], float)
        matches.append(
            coco_average_precision.image_matches(outlines, areas, pred, confidences(image))
        )
    expected = coco_average_precision.coco_scores(matches)
    assert {name: row[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    assert {name: row[name] for name in CONDITION} == CONDITION


def _dense(labels):
    """Labels 1..n."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


@pytest.mark.parametrize("small", TREATED)
@pytest.mark.parametrize("kind", GROUPS)
def test_cells_of_each_size_of_a_cell_type(scored, kind, small):
    rows = rows_of(scored["sizes"], cell_type=kind, small_objects=small)
    true, found = {}, {}
    for image in GROUPS[kind]:
        for one, other in IMAGES[image][1]:
            area = 3 * (one[1] - one[0]) if one else 0
            if area < max(1, TREATED[small]):
                continue
            octave = 2 ** (area.bit_length() - 1)
            true[octave] = true.get(octave, 0) + 1
            found[octave] = found.get(octave, 0) + (other is not None)  # all at an IoU above 0.5
    listed = rows.to_dict("records")
    assert [row["area_from"] for row in listed] == [2**k for k in range(len(listed))]
    for row in listed:
        octave = row["area_from"]
        counted = (row["area_to"], row["n_true"], row["n_found"])
        assert counted == (2 * octave, true.get(octave, 0), found.get(octave, 0))
    assert max(true) == listed[-1]["area_from"]


def test_small_objects_change_every_table(scored):
    """The images above have what it takes to tell one treatment from the other."""
    for name, columns in (("metrics", ["pixel_iou", "true_pixels", "f1_50", "n_true", "missed"]),
                          ("coco", ["ap", "ap50", "ar2000"]), ("sizes", ["n_true"])):  # fmt: skip
        kept, removed = (rows_of(scored[name], small_objects=small) for small in TREATED)
        for column in columns:
            assert kept[column].tolist() != removed[column].tolist(), (name, column)


# The tables of an experiment


class Collected(Experiment):
    """An experiment with pixels and COCO scores, as files of its runs."""

    def __init__(self, folder):
        super().__init__(MODELS)
        random = np.random.default_rng(9)
        counts = random.integers(50, 90, (len(self.images), 3)) * [3, 2, 1]
        self.images[list(pooled_pixels.COUNTS)] = counts
        self.inputs = {name: [] for name in ("metrics", "coco", "segmentation", "sizes",
                                             "histories", "settings", "provenance")}  # fmt: skip
        keys = ["data_split", "cell_type", "small_objects"]
        self.coco, self.provenance, self.thresholds = [], {}, {}
        for number, (run, own) in enumerate(self.images.groupby(collect.RUN, sort=False)):
            where = folder / str(number)
            where.mkdir()
            about = dict(zip(collect.RUN, run, strict=True))
            both = pd.concat([own.assign(cell_type="all"), own])
            coco = both[keys].drop_duplicates().assign(**about)
            for name in score_names.COCO_SCORES:
                coco[name] = random.uniform(0, 1, len(coco))
            self.coco.append(coco.sample(frac=1, random_state=number))
            self.thresholds[run] = {"peak": random.uniform(), "mask": random.uniform()}
            made = {"tuning": f"tuning-{about['model']}", "condition": about}
            made["segmentation"] = self.thresholds[run]
            train = [f"image-{n}" for n in range(3 + number)]
            origin = {"parameters": 100 + number, "device": f"device {number}"}
            origin |= {"train_images": train, "synthetic_images": 7 * number}
            self.provenance[run] = origin
            setting = {"model": {"backbone": f"backbone {number}"}}
            setting["subset"] = {
                "cell_types": ["A172", "BV2"][: 1 + number % 2],
                "validation": "by-well",
            }
            mine = (self.training[collect.RUN] == list(run)).all(axis=1)
            history = self.training[mine][["epoch", "loss", "val_loss", "step_ms"]]
            sized = self.sizes[(self.sizes[collect.RUN] == list(run)).all(axis=1)]
            for name, content in (("metrics", own), ("coco", self.coco[-1]), ("sizes", sized),
                                  ("histories", history)):  # fmt: skip
                content.to_csv(where / f"{name}.csv", index=False)
                self.inputs[name].append(str(where / f"{name}.csv"))
            for name, content in (
                ("segmentation", run_format.stamped(made)),
                ("settings", run_format.stamped(setting)),
                ("provenance", origin),
            ):
                (where / f"{name}.json").write_text(json.dumps(content))
                self.inputs[name].append(str(where / f"{name}.json"))
        self.coco = pd.concat(self.coco)


@pytest.fixture(scope="module")
def collected(checkout, tmp_path_factory):
    """The experiment, and its tables as the rule's script writes them."""
    folder = tmp_path_factory.mktemp("collected")
    made = Collected(folder)
    names = ("images", "runs", "summary", "training", "sizes")
    output = {name: str(folder / f"{name}.csv") for name in names}
    job = SimpleNamespace(
        input=SimpleNamespace(**made.inputs, trained=made.inputs["metrics"]), output=output
    )
    job.log, job.rule, job.wildcards = [str(folder / "log")], "collect", {}
    runpy.run_path(str(checkout / "scripts/collect.py"), init_globals={"snakemake": job})
    return made, {name: pd.read_csv(path) for name, path in output.items()}


def expected_of_run(made, run, split, kind, small):
    """Every score of a row of runs.csv."""
    rows = rows_of(made.images, **run, data_split=split, small_objects=small)
    rows = rows if kind == "all" else rows_of(rows, cell_type=kind)
    sums = {*score_names.COUNTS, *score_names.SIZES}
    found = {
        name: rows[name].sum() if name in sums else rows[name].mean()
        for name in score_names.COLUMNS
    }
    true, pred, both = (rows[f"{name}_pixels"].sum() for name in ("true", "pred", "shared"))
    found["pixel_iou_pooled"] = both / (true + pred - both)
    found["pixel_f1_pooled"] = 2 * both / (true + pred)
    coco = rows_of(made.coco, **run, data_split=split, cell_type=kind, small_objects=small)
    found |= coco[list(score_names.COCO_SCORES)].iloc[0].to_dict()
    return found | {"n_images": len(rows)}


def test_images_and_sizes_are_those_of_their_runs(collected):
    made, written = collected
    pd.testing.assert_frame_equal(written["images"], made.images, check_like=True)
    pd.testing.assert_frame_equal(written["sizes"], made.sizes, check_like=True)


def test_each_column_of_runs(collected):
    made, written = collected
    for row in written["runs"].to_dict("records"):
        run = {axis: row[axis] for axis in collect.RUN}
        group = row["data_split"], row["cell_type"], row["small_objects"]
        expected = expected_of_run(made, run, *group)
        assert {name: row[name] for name in expected} == pytest.approx(expected), (run, group)
        assert row["tuning"] == f"tuning-{row['model']}"
        thresholds = made.thresholds[tuple(run.values())]
        assert {name: row[name] for name in thresholds} == pytest.approx(thresholds)
    assert len(written["runs"]) == 2 * 3 * 2 * 4 * 2  # models, seeds, splits, types, treatments


def test_each_column_of_the_summary(collected):
    made, written = collected
    for row in written["summary"].to_dict("records"):
        condition = {axis: row[axis] for axis in collect.RUN[:-1]}
        group = row["data_split"], row["cell_type"], row["small_objects"]
        of_seeds = [expected_of_run(made, {**condition, "seed": seed}, *group) for seed in SEEDS]
        assert (row["n_seeds"], row["n_images"]) == (3, of_seeds[0]["n_images"])
        assert row["tuning"] == f"tuning-{row['model']}"
        for name in of_seeds[0]:
            if name == "n_images":
                continue
            values = [seed[name] for seed in of_seeds]
            mean, low, high = interval(values)
            found = [row[f"{name}_{part}"] for part in ("mean", "std", "low", "high")]
            assert found == pytest.approx([mean, np.std(values, ddof=1), low, high]), name
    assert len(written["summary"]) == 2 * 2 * 4 * 2


def test_each_column_of_the_training_table(collected):
    made, written = collected
    columns = [*collect.RUN, "epoch", "loss", "val_loss", "step_ms"]
    pd.testing.assert_frame_equal(written["training"][columns], made.training[columns])
    for number, (run, origin) in enumerate(made.provenance.items()):
        rows = rows_of(written["training"], **dict(zip(collect.RUN, run, strict=True)))
        facts = {"backbone": f"backbone {number}", "parameters": 100 + number}
        facts |= {"device": f"device {number}", "train_images": len(origin["train_images"])}
        facts |= {"synthetic_images": 7 * number, "validation": "by-well"}
        facts |= {"cell_types": "A172+BV2" if number % 2 else "A172"}
        assert rows[list(facts)].drop_duplicates().to_dict("records") == [facts]


# Comparisons, and what is printed


def errors_per_100(rows):
    return 100 * rows[["missed", "gained", "merge", "split", "catastrophe"]].sum().sum()


@pytest.mark.parametrize("seeds", [SEEDS, SEEDS[:1]])
def test_each_column_of_comparisons(collected, seeds):
    made, written = collected
    images, runs = (written[name][written[name]["seed"].isin(seeds)] for name in ("images", "runs"))
    table = comparisons.compare(images, runs)
    assert len(table) == 2 * len(glossary.SCORES)
    for row in table.to_dict("records"):
        name, small = row["score"], row["small_objects"]
        sides = []
        for model in MODELS:
            of_seeds = []
            for seed in sorted(seeds):
                own = rows_of(made.images, model=model, seed=seed, data_split="test",
                              small_objects=small).sort_values("image")  # fmt: skip
                coco = rows_of(made.coco, model=model, seed=seed, data_split="test",
                               small_objects=small, cell_type="all")  # fmt: skip
                if name == "errors_per_100":
                    total, of_images = errors_per_100(own) / own["n_true"].sum(), []
                elif name in score_names.COCO_SCORES:
                    total, of_images = coco[name].item(), []
                elif name in pooled_pixels.SCORES:
                    counts = own[list(pooled_pixels.COUNTS)].sum().to_frame().T
                    total, of_images = pooled_pixels.pooled_scores(counts)[name].item(), []
                else:
                    total, of_images = own[name].mean(), own[name].tolist()
                of_seeds.append((total, of_images))
            sides.append(of_seeds)
        totals = [[total for total, _ in side] for side in sides]
        assert (row["model_a"], row["model_b"]) == MODELS
        assert (row["mean_a"], row["mean_b"]) == pytest.approx([np.mean(side) for side in totals])
        expected = np.mean(totals[0]) - np.mean(totals[1])
        assert row["difference"] == pytest.approx(expected)
        if len(seeds) == 3:
            tested = stats.ttest_rel(*totals)
            ends = tested.confidence_interval()
            assert (row["test"], row["pairs"], row["n_pairs"]) == ("paired t test", "seeds", 3)
            found = [row[name] for name in ("low", "high", "p")]
            assert found == pytest.approx([ends.low, ends.high, tested.pvalue])
        elif KNOWN[name].of_images and name != "errors_per_100":
            differences = np.subtract(*[side[0][1] for side in sides])
            assert (row["pairs"], row["n_pairs"]) == ("images", 12)
            assert row["p"] == pytest.approx(stats.wilcoxon(differences).pvalue)
            assert (row["low"], row["high"]) == pytest.approx(interval(differences)[1:])


def test_each_column_of_the_printed_summary(collected, tmp_path):
    made, written = collected
    folder = tmp_path / "tables" / "one"
    folder.mkdir(parents=True)
    for name in ("summary", "runs", "training"):
        written[name].to_csv(folder / f"{name}.csv", index=False)
    lines = terminal_summary.table(tmp_path).splitlines()
    heading = next(line for line in lines if line.startswith("model"))
    names = ["F1 at IoU 0.5", "MSA", "pixel IoU", "predicted/true", "ms/step"]
    assert [heading.index(name) for name in names] == sorted(heading.index(name) for name in names)
    for model in MODELS:
        (line,) = [line for line in lines if line.startswith(model)]
        rows = rows_of(made.images, model=model, data_split="test", small_objects="kept")
        expected = [model, f"tuning-{model}", "3"]
        for name in ("f1_50", "msa", "pixel_iou"):
            mean, _, high = interval(rows.groupby("seed")[name].mean().tolist())
            expected += f"{mean:.3f} ± {high - mean:.3f}".split()
        steps = made.training[(made.training["model"] == model) & (made.training["epoch"] > 1)]
        expected.append(f"{rows['n_pred'].sum() / rows['n_true'].sum():.2f}")
        expected.append(f"{steps.groupby('seed')['step_ms'].median().mean():.0f}")
        assert line.split() == expected
