"""Settings given by --config, as Snakemake reads them, become what a config file would say."""

import copy

import pytest
import yaml
from snakemake.cli import parse_config

from cellseg.errors import UserError
from cellseg.study import overrides, validation
from cellseg.study.runs import merged
from workflow_runner import TINY


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture
def read(schema):
    """The configuration of a call with ``--config`` and these arguments."""

    def call(*arguments, study=TINY):
        given = parse_config(arguments)
        return overrides.typed(merged(study, given), given, schema)

    return call


def test_numbers_and_nothing_of_nested_settings(read, schema):
    apply = "apply={run: runs/seed-0, images: /data/7, tuning: null, pixel_size: 0.65, output: }"
    seen = read(apply)["apply"]
    assert (seen["run"], seen["images"]) == ("runs/seed-0", "/data/7")
    assert (seen["tuning"], seen["pixel_size"], seen["output"]) == (None, 0.65, None)
    resolved = validation.resolve(read(apply), schema)["apply"]
    assert {key: resolved[key] for key in seen} == seen


@pytest.mark.parametrize("text", ["true", "True"])
def test_switches(read, schema, text):
    assert validation.resolve(read(f"keep_predictions={text}"), schema)["keep_predictions"] is True


def test_lists_and_alternatives(read, schema):
    runs = "[{model: featurenet, heads: [fgbg, pixelwise], subset: full, seed: [0, 1]}]"
    study = validation.resolve(
        read(
            f"experiments={{backbones: {{conditions: {runs}}}}}",
            "training={epochs: 3, mixed_precision: false, clipnorm: null}",
            "training={schedule: {warmup: 0.5}}",
            "prediction={window: null, test_time_augmentation: {scales: [1, 0.5]}}",
            "heads={inner-distance: {alpha: 0.2}}",
        ),
        schema,
    )
    [block] = study["experiments"]["backbones"]["conditions"]
    assert block["seed"] == [0, 1] and block["heads"] == ["fgbg", "pixelwise"]
    training = study["training"]
    assert (training["epochs"], training["mixed_precision"], training["clipnorm"]) == (
        3,
        False,
        None,
    )
    assert training["schedule"]["warmup"] == 0.5 and training["batch_size"] == 4
    assert study["prediction"]["test_time_augmentation"]["scales"] == [1, 0.5]
    assert study["heads"]["inner-distance"]["alpha"] == 0.2


def test_text_stays_where_text_is_wanted(read, schema):
    """Names that YAML would take for a number, a switch or a date."""
    arguments = (
        "apply={run: 7, images: 2024-01-31}",
        "subsets={full: {cell_types: [3, BV2, yes]}}",
        "experiments={backbones: {title: 42}}",
    )
    seen = read(*arguments)
    assert (seen["apply"]["run"], seen["apply"]["images"]) == ("7", "2024-01-31")
    assert seen["subsets"]["full"]["cell_types"] == ["3", "BV2", "yes"]
    assert seen["experiments"]["backbones"]["title"] == "42"


def test_values_of_config_files_are_not_touched(read, schema):
    """Text in a file is text, next to what is given and without it."""
    study = copy.deepcopy(TINY)
    study["training"]["learning_rate"] = "0.1"
    study["experiments"]["backbones"]["title"] = "null"
    before = copy.deepcopy(study)
    seen = read("training={epochs: 3}", study=study)
    assert study == before
    assert seen["training"]["learning_rate"] == "0.1" and seen["training"]["epochs"] == 3
    assert seen["experiments"]["backbones"]["title"] == "null"
    with pytest.raises(UserError, match=r"learning_rate: '0.1' .*: write 0.1 without quotes"):
        validation.resolve(seen, schema)


def test_wrong_values_are_still_told(read, schema):
    with pytest.raises(UserError, match="'wide' is not of type 'number'"):
        validation.resolve(read("apply={pixel_size: wide}"), schema)
    with pytest.raises(UserError, match=r"training.epochs: 0 is less than the minimum"):
        validation.resolve(read("training={epochs: 0}"), schema)
    with pytest.raises(UserError, match="no key 'trainng'"):
        validation.resolve(read("trainng={epochs: 3}"), schema)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("/data/a, b", "'b' has no value. Put quotes around"),
        ("/data/a: b", "not valid YAML.* Put quotes around"),
        ("@x", "not valid YAML.* Put quotes around"),
        ("a # b", "not valid YAML.* Put quotes around"),
        ("[a", "not valid YAML.* Put quotes around"),
    ],
)
def test_values_that_need_quotes(read, images, message):
    with pytest.raises(UserError, match=message):
        read(f"apply={{run: r, images: {images}}}")
    assert read(f'apply={{run: r, images: "{images}"}}')["apply"]["images"] == images


def test_values_that_need_none(read):
    for images in ("it's", "C:\\x", "a b", "/data/ü", "a-b_c", "~/x", "7", "2024-01-01"):
        assert read(f"apply={{run: r, images: {images}}}")["apply"]["images"] == images
