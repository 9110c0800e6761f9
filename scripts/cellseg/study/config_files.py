"""A configuration read from its files, as Snakemake reads it."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import yaml

from cellseg.errors import UserError
from cellseg.study.runs import merged
from cellseg.study.validation import resolve

DEFAULT = "config.yaml"


def read(folder: Path, files: Sequence[str | Path] = (), replace: bool = False) -> dict:
    """Configuration of a call of Snakemake in `folder`.

    Parameters
    ----------
    folder : of the Snakefile and config.yaml
    files : given with ``--configfile``; a later one is merged over an earlier one
    replace : ``--replace-workflow-config``: leave config.yaml out where there are `files`

    Returns
    -------
    dict : not checked yet, see :func:`cellseg.study.validation.resolve`

    Raises
    ------
    UserError
        A file is missing, is no YAML, or has no keys at its top level.
    """
    given = [folder / path for path in files]
    if not (given and replace):
        given.insert(0, folder / DEFAULT)
    config: dict = {}
    for path in given:
        config = merged(config, _mapping(path))
    return config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command name config files as it does for Snakemake."""
    parser.add_argument(
        "--configfile", "--configfiles", nargs="+", action="extend", default=[], metavar="FILE",
        help="config file merged over config.yaml, as with snakemake",
    )  # fmt: skip
    parser.add_argument(
        "--replace-workflow-config", action="store_true",
        help="take the config file instead of config.yaml, as with snakemake",
    )  # fmt: skip


def of_snakemake(asked: argparse.Namespace) -> list[str]:
    """The same arguments for Snakemake."""
    files = ["--configfile", *asked.configfile] if asked.configfile else []
    return [*files, *(["--replace-workflow-config"] if asked.replace_workflow_config else [])]


def study(asked: argparse.Namespace, folder: Path, schema: Path) -> dict:
    """The complete configuration of a command, see :func:`cellseg.study.validation.resolve`.

    Parameters
    ----------
    asked : with what :func:`add_arguments` adds
    folder : of the Snakefile and config.yaml
    schema : file of the configuration's schema

    Raises
    ------
    UserError
        As :func:`read` and :func:`cellseg.study.validation.resolve`.
    """
    given = read(folder, asked.configfile, asked.replace_workflow_config)
    return resolve(given, read_schema(schema))


def read_schema(path: Path) -> dict:
    """The schema of the configuration; by libyaml where it is, as PyYAML alone takes 0.3 s."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)


def _mapping(path: Path) -> dict:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"the config file {path} cannot be read ({error.strerror}). Start this in the "
            "checkout, where config.yaml is, or name another file with --configfile."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"the config file {path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"the config file {path} must have keys at its top level, as config.yaml.")
    return content
