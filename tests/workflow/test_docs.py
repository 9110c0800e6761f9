"""README and documentation: short, linked, built, and true to the schema and the Makefile."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import schema_keys
from cellseg.study.validation import resolve

CHECKOUT = Path(__file__).resolve().parents[2]
README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "docs"
PAGES = [README, *sorted(path for path in DOCS.rglob("*.md") if not path.is_symlink())]
SITE = DOCS / "mkdocs/mkdocs.yml"
SCHEMA = yaml.safe_load((CHECKOUT / "workflow/schemas/config.schema.yaml").read_text())
README_LINES = 150
SENTENCE_WORDS = 25
PICTURE_BYTES = 300_000
COMPLETE = "<!-- complete study -->"
AVOIDED = re.compile(
    r"\b(anew|mend(ed|s)?|tells|told|beside|goes on|go on|went on|came to|comes to|stands?"
    r"|that (is|are) there|of (its|their|your) own)\b"
)
"""Words that our style leaves out; see docs/contributing.md."""
OF_OTHERS = {"iscrowd", "retries", "backend"}
"""Names in `name: value` that are COCO's or Snakemake's, or shown without a value."""

all_pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))


def _fenced(page: Path) -> Iterator[tuple[str, bool]]:
    """YAML blocks of a page, and whether each is a complete study."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"(<!-- .* -->\n)?^```yaml\n(.*?)^```$", text, re.M | re.S):
        yield found[2], (found[1] or "").strip() == COMPLETE


def _code(page: Path) -> str:
    """Commands of a page: indented lines that are no list, and inline code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    lines = re.findall(r"^    (?![ -])(.+)$", text, re.M)
    return "\n".join([*lines, *re.findall(r"`([^`\n]+)`", text)])


def _prose(page: Path) -> Iterator[str]:
    """Lines that are read as sentences; inline code counts as a word."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$|<!--.*?-->", "", text, flags=re.M | re.S)
    for line in text.splitlines():
        if line.startswith(("    ", "|", "#", "!")):
            continue
        line = re.sub(r"`[^`]*`", "code", line)
        yield re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", line).strip("*-> ")


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= README_LINES


@all_pages
def test_sentences_are_short_and_plain(page):
    sentences = [one for line in _prose(page) for one in re.split(r"(?<=[.!?:;])\s", line)]
    assert any(sentences)
    long = [one for one in sentences if len(one.split()) > SENTENCE_WORDS]
    assert long == []
    avoided = [one for one in sentences if AVOIDED.search(one.lower())]
    assert avoided == []


def test_words_of_settings_are_plain():
    """Comments and descriptions that a user reads next to the settings."""
    folders = ("studies/*.yaml", "profiles/*/*.yaml", "schemas/*.yaml", "rules/*.smk")
    files = [CHECKOUT / "Makefile", CHECKOUT / "config.yaml"]
    files += [path for one in folders for path in sorted((CHECKOUT / "workflow").glob(one))]
    assert len(files) > 15
    avoided = [
        f"{path.relative_to(CHECKOUT)}: {line.strip()}"
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
        if AVOIDED.search(line.lower())
    ]
    assert avoided == []


@all_pages
def test_relative_links_resolve(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    missing = [link for link in relative if not (page.parent / link).exists()]
    assert missing == []


def test_the_readme_names_every_part_of_the_documentation():
    """All pages but the home page, which says the same as the README."""
    readme = README.read_text(encoding="utf-8")
    pages = {path.relative_to(CHECKOUT).as_posix() for path in PAGES[1:]} - {"docs/index.md"}
    assert [page for page in sorted(pages) if f"({page})" not in readme] == []


def test_pictures_are_small_and_used():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    pictures = sorted((DOCS / "images").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size <= PICTURE_BYTES, picture.name
        assert f"images/{picture.name})" in text, picture.name
    assert len(re.findall(r"!\[", README.read_text(encoding="utf-8"))) == 1


@all_pages
def test_yaml_blocks_follow_the_schema(page):
    for text, complete in _fenced(page):
        config = yaml.safe_load(text)
        if complete:
            assert resolve(config, SCHEMA)["experiments"]
            continue
        for key, value in config.items():
            assert key in SCHEMA["properties"], key
            part = {name: SCHEMA[name] for name in ("properties", "$defs")}
            found = Draft202012Validator(part).iter_errors({key: value})
            errors = [error.message for error in found]
            assert errors == []


def test_there_are_complete_studies():
    complete = [str(page) for page in PAGES for _, whole in _fenced(page) if whole]
    assert len(complete) >= 3 and str(README) in complete


@all_pages
def test_keys_in_the_text_are_in_the_schema(page):
    """In code such as `keep_predictions: true`, and in what `apply` is called with."""
    known = {re.sub(r"\[\]|\*|<.*?>", "", key) for leaf in _leaves() for key in leaf.split(".")}
    named = set(re.findall(r"`([a-z_]+): [^`]+`", page.read_text(encoding="utf-8")))
    assert named - known - OF_OTHERS == set()
    for called in re.findall(r"apply=\{(.*?)\}'", page.read_text(encoding="utf-8")):
        keys = re.findall(r"(\w+): ", called)
        assert set(keys) <= set(SCHEMA["properties"]["apply"]["properties"]), called


@all_pages
def test_commands_exist(page):
    code = _code(page)
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    assert set(re.findall(r"^make ([a-z-]+)", code, re.M)) - targets == set()
    rules = "".join(path.read_text() for path in (CHECKOUT / "workflow/rules").glob("*.smk"))
    rules += (CHECKOUT / "Snakefile").read_text()
    of_rules = set(re.findall(r"^rule (\w+):", rules, re.M))
    called = re.findall(
        r"^snakemake (?:--cores \d+ |--profile \S+ )?([a-z_]+)(?![\w/])", code, re.M
    )
    assert set(called) - of_rules == set()
    own = r"(?<![\w/.])((?:scripts|workflow|tests|envs|docs|\.ci)/[\w./-]*\w)(?![\w*{<])"
    missing = [path for path in re.findall(own, code) if not (CHECKOUT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", ["how-to/extend.md", "contributing.md"])
def test_modules_to_extend_exist(page):
    """Paths below the library, such as `targets/heads.py` and `data/kinds/`."""
    library = CHECKOUT / "scripts/cellseg"
    named = re.findall(r"`([a-z_0-9/]+(?:/|\.py))`", (DOCS / page).read_text(encoding="utf-8"))
    named = [path for path in named if path != "site/"]  # `make docs` makes it
    assert len(named) > 10
    missing = [
        path for path in named if not any((top / path).exists() for top in (library, CHECKOUT))
    ]
    assert missing == []


def _leaves() -> list[str]:
    return schema_keys.leaves(SCHEMA)


@pytest.fixture(scope="module")
def configuration_page():
    """The hook that writes the keys of the schema."""
    spec = importlib.util.spec_from_file_location("hook", DOCS / "mkdocs/configuration_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_configuration_page_has_every_key(configuration_page):
    """As another walk over the schema finds them."""
    shown = {re.sub(r"\*name\*", "*", key) for key in configuration_page.keys(SCHEMA)}
    wanted = {re.sub(r"<[^>]*>", "", leaf) for leaf in _leaves()}
    wanted = {
        re.sub(r"^(models\.\*\.training|segmentation_by_heads)\..*", r"\1", leaf) for leaf in wanted
    }
    missing = {leaf for leaf in wanted if leaf.removesuffix("[]").removesuffix(".*") not in shown}
    assert len(wanted) > 100 and missing == set()


def test_a_key_is_shown_with_values_default_and_meaning(configuration_page):
    schema = {
        "$defs": {"share": {"type": "number", "minimum": 0, "description": "A share."}},
        "required": ["study"],
        "properties": {
            "study": {
                "description": "What is studied.",
                "properties": {
                    "kind": {"enum": ["a", None], "default": "a"},
                    "levels": {"type": "array", "items": {"enum": ["low", "high"]}},
                },
                "additionalProperties": {
                    "allOf": [
                        {
                            "if": {"properties": {"kind": {"const": kind}}},
                            "then": {
                                "properties": {name: {"$ref": "#/$defs/share"} for name in names}
                            },
                        }
                        for kind, names in (("a", "xyz"), ("b", "xy"), ("c", "x"))
                    ]
                },
            }
        },
    }
    text = configuration_page.tables(schema)
    assert "## `study`\n\nWhat is studied. Required." in text
    assert "| `kind` | `a`, `null` | `a` |  |" in text
    assert "| `levels` | list of `low`, `high` |  |  |" in text
    assert "| `<name>.x` | number, ≥ 0 |  | A share. |" in text  # all kinds have it
    assert "| `<name>.y` | number, ≥ 0 |  | With `kind: a` or `kind: b`. A share. |" in text
    assert "| `<name>.z` | number, ≥ 0 |  | With `kind: a`. A share. |" in text
    assert text.count("<name>") == 3


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_the_site_builds_without_a_warning(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(SITE)]
    done = subprocess.run(
        [*build, "--site-dir", str(tmp_path / "site")],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site/reference/configuration.html").read_text(encoding="utf-8")
    assert "training" in page and "softmax_loss_scale" in page
    assert (tmp_path / "site/notebooks/open-a-run.ipynb").exists()
    assert not (tmp_path / "site/mkdocs").exists()
    assert not re.search(r'<(script|link|img)[^>]* (src|href)="https?:', page)


def test_every_page_is_in_the_navigation():
    """Also where mkdocs is not installed."""

    def files(entry):
        if isinstance(entry, str):
            return [entry]
        inner = entry.values() if isinstance(entry, dict) else entry
        return [file for one in inner for file in files(one)]

    nav = files(yaml.safe_load(SITE.read_text(encoding="utf-8"))["nav"])
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(nav) == sorted(pages)


def test_the_citation_has_the_version_of_the_project():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == project["version"] and cited["license"] == project["license"]


def test_the_catalogue_entry_says_what_is_true():
    """Conda files for its rules exist, and a report can be written."""
    usage = yaml.safe_load((CHECKOUT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    rules = "".join(path.read_text() for path in (CHECKOUT / "workflow/rules").glob("*.smk"))
    assert usage["software-stack-deployment"] == {"conda": "conda:" in rules}
    assert usage["report"] is ("report(" in rules)
