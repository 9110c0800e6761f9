"""Names of a run's files are written down once."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellseg.io import run_files

NAMES = sorted({value for name, value in vars(run_files).items()
                if name.isupper() and isinstance(value, str)})  # fmt: skip
FILES = [name for name in NAMES if "." in name]
FOLDERS = [name for name in NAMES if "." not in name]
OF_JOBS = sorted({path for job in run_files.JOBS for path in (job.log, job.benchmark)})

EXCEPTIONS = {
    ("workflow/rules/data.smk", "labels.npz"): "of synthetic images",
    ("scripts/cellseg/space/expected.py", "labels.npz"): "of synthetic images",
    ("workflow/rules/evaluate.smk", "sizes.csv"): "a table of an experiment",
    ("workflow/rules/figures.smk", "sizes.csv"): "a table of an experiment",
    ("workflow/rules/figures.smk", "overlay.rst"): "a template of the report's captions",
    ("workflow/rules/figures.smk", "learning_curve.rst"): "a template of the report's captions",
}
"""File and name: files of the same name that are not of a run."""

DOCUMENTATION = re.compile(r"""[rR]?("{3}|'{3})""")
LAYOUT = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT,
          tokenize.ENCODING)  # fmt: skip
TEXT = [
    tokenize.STRING,
    *([tokenize.FSTRING_MIDDLE] if hasattr(tokenize, "FSTRING_MIDDLE") else []),
]


def _strings(path: Path) -> Iterator[str]:
    """Strings of a source, without docstrings; Snakemake's rules have Python's tokens."""
    before = tokenize.ENCODING
    with open(path, "rb") as file:
        for token in tokenize.tokenize(file.readline):
            documents = before in LAYOUT and DOCUMENTATION.match(token.string)
            if token.type in TEXT and not documents:
                yield token.string
            before = token.type


def _named(text: str) -> Iterator[str]:
    """Names of a run's files that a string spells."""
    for name in [*FILES, *OF_JOBS]:
        if re.search(rf"(?<![\w.-]){re.escape(name)}(?!\w|[.-]\w)", text):
            yield name
    yield from (name for name in FOLDERS if text.strip("fr'\"") == name)


def _found(checkout: Path) -> set[tuple[str, str]]:
    own = Path(run_files.__file__).relative_to(Path(run_files.__file__).parents[3]).as_posix()
    sources = [*(checkout / "scripts").rglob("*.py"), *(checkout / "workflow/rules").glob("*.smk")]
    assert len(sources) > 200 and checkout / own in sources
    return {
        (path.relative_to(checkout).as_posix(), name)
        for path in sources if path != checkout / own
        for text in _strings(path)
        for name in _named(text)
    }  # fmt: skip


def test_no_other_source_spells_them(checkout):
    """Take the name from `cellseg.io.run_files`, or say below `EXCEPTIONS` what else it is."""
    assert _found(checkout) == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('weights = folder / "weights.h5"', ["weights.h5"]),
        ('f"{RUN}/{{variant}}labels.npz"', ["labels.npz"]),
        ('f"{folder}/overlay-predictions.zip"', ["overlay-predictions.zip"]),
        ('f"{RUN}/{{variant}}logs/train.log"', ["logs/train.log"]),
        ('"benchmarks/score.tsv"', ["benchmarks/score.tsv"]),
        ('folder / "tensorboard"', ["tensorboard"]),
        ('print("Look at logs/train.log.")', ["logs/train.log"]),
        ('"a table of words: train.log, tensorboard"', []),
        ('f"{split}.cells.parquet"', []),
        ('def f():\n    """Writes weights.h5."""', []),
        ("# weights.h5", []),
    ],
)
def test_they_are_recognised(line, names, tmp_path):
    source = tmp_path / "source.py"
    source.write_text(line + "\n")
    assert [name for text in _strings(source) for name in _named(text)] == names


def test_every_output_of_a_job_is_a_name_of_the_list():
    made = []
    of_fusion = {run_files.FUSE, run_files.FUSE_VALIDATION, run_files.OVERLAY_OF_FUSION,
                 run_files.EXPORT_OF_FUSION}  # fmt: skip
    # Of runs without a training, next to the jobs of others that make the same files.
    instead = {*run_files.OF_OUTSIDE, *of_fusion, run_files.PAINT, run_files.JOIN_FOLDS}
    assert run_files.PAINT.outputs == run_files.SEGMENT.outputs
    assert set(run_files.JOIN_FOLDS.outputs) < set(run_files.TRAIN.outputs)
    for jobs in (set(run_files.JOBS) - instead, run_files.OF_OUTSIDE, of_fusion):
        own = [output for job in jobs for output in job.outputs]
        assert len(set(own)) == len(own)
        made += own
    elsewhere = {run_files.PROGRESS, run_files.ORIGIN, run_files.SAFETENSORS}
    assert set(FILES) - set(made) == elsewhere
    assert set(made) < set(FILES) and set(FOLDERS) == {run_files.RESUME, run_files.TENSORBOARD}
