"""Files of settings of another version are refused before anything of them is used."""

import json

import pytest

from cellseg.errors import UserError
from cellseg.io import run_format

OTHERS = [
    ({}, r"older version of livecell-bench \(format 1, this one reads 2\).* Train the run again"),
    ({"format": 1}, r"older version .* or use it with the release that made it\."),
    (
        {"format": 3},
        r"newer version of livecell-bench \(format 3, this one reads 2\)\. Use it with",
    ),
    *(({"format": odd}, "is missing, damaged") for odd in ("2", None, True, 2.0, [2], {})),
]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "settings.json"
    content = {"model": {"family": "unet"}, "heads": {}}
    path.write_text(json.dumps(run_format.stamped(content)))
    assert json.loads(path.read_text()) == {"format": run_format.FORMAT, **content}
    assert run_format.read(path, "model") == content
    with pytest.raises(UserError, match=r"settings\.json is .*damaged.* \(it lacks 'tiling'"):
        run_format.read(path, "model", "tiling")


@pytest.mark.parametrize(("version", "message"), OTHERS)
def test_another_version_is_refused_whatever_else_is_wrong(tmp_path, version, message):
    path = tmp_path / "settings.json"
    for content in ({}, {"model": {}}):
        path.write_text(json.dumps({**version, **content}))
        with pytest.raises(UserError, match=rf"settings\.json .*{message}"):
            run_format.read(path, "model", "tiling")


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b'{"format": 2'])
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "watershed.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"watershed\.json is missing, damaged"):
        run_format.read(path)
