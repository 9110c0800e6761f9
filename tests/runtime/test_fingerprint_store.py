"""Stored fingerprints of code: as computed ones, whatever was edited since."""

import json
import os

import pytest

from cellseg.runtime import code_digest, code_fingerprint, code_text, fingerprint_store


@pytest.fixture
def library(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "direct.py").write_text("VALUE = 1\n")
    (package / "named.py").write_text("VALUE = 10\n")
    (tmp_path / "script.py").write_text("from package import direct\nprint(direct.VALUE)\n")
    return package


def forget():
    """As in a new process."""
    for module in (code_fingerprint, code_digest, code_text, fingerprint_store):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def stored(library, *modules):
    forget()
    return fingerprint_store.fingerprint(library.parent / "script.py", library, modules)


def computed(library, *modules):
    forget()
    return code_fingerprint.fingerprint(library.parent / "script.py", library, modules)


def store(library):
    return library / "__pycache__" / fingerprint_store.NAME


def test_a_second_start_reads_no_module(library, monkeypatch):
    first = [stored(library), stored(library, "package.named")]
    assert first == [computed(library), computed(library, "package.named")]
    assert first[0] != first[1]
    forget()
    monkeypatch.setattr(code_text, "read", None)
    script = library.parent / "script.py"
    assert fingerprint_store.fingerprint(script, library, ()) == first[0]
    assert fingerprint_store.fingerprint(script, library, ("package.named",)) == first[1]


@pytest.mark.parametrize("name", ["package/direct.py", "script.py"])
def test_edits_that_keep_size_and_date_count(library, name):
    path = library.parent / name
    before, date = stored(library), path.stat().st_mtime_ns
    path.write_text(path.read_text().replace("VALUE", "OTHER").replace("= 1", "= 2"))
    os.utime(path, ns=(date, date))
    assert stored(library) == computed(library) != before


def test_new_templates_count(library):
    before = stored(library)
    (library / "direct.html.jinja").write_text("<p>\n")
    assert stored(library) == computed(library) != before


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"library": 1, "fingerprints": []}'])
def test_a_damaged_store_is_replaced(library, damage):
    before = stored(library)
    store(library).write_text(damage)
    assert stored(library) == before
    assert before in json.loads(store(library).read_text())["fingerprints"].values()


@pytest.mark.parametrize("entry", ["code", "", 1, None])
def test_entries_that_are_no_fingerprints_are_replaced(library, entry):
    before = stored(library)
    content = json.loads(store(library).read_text())
    content["fingerprints"] = dict.fromkeys(content["fingerprints"], entry)
    store(library).write_text(json.dumps(content))
    assert stored(library) == before


def test_a_library_that_cannot_be_written_to(library):
    (library / "__pycache__").write_text("in the way")
    assert stored(library) == computed(library)


def test_nothing_else_is_left_next_to_the_store(library):
    stored(library)
    assert [path.name for path in store(library).parent.iterdir()] == [fingerprint_store.NAME]
