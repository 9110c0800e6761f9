"""Results that are damaged, or that somebody handed on, are named in one line."""

import pandas as pd
import pytest

from cellseg.errors import UserError
from cellseg.io import made_files


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 99999, b'{"a": 1', b'{"b": 1}']
)
def test_json(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"settings\.json is missing, damaged"):
        made_files.read_json(path, "a")
    path.write_bytes(b'{"a": 1}')
    assert made_files.read_json(path, "a") == {"a": 1}
    with pytest.raises(UserError, match=r"none\.json is missing"):
        made_files.read_json(tmp_path / "none.json")


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    table = pd.DataFrame({"image": ["a"], "n": [1]})
    table.to_parquet(path)
    pd.testing.assert_frame_equal(made_files.read_parquet(path), table)
    assert list(made_files.read_parquet(path, ["n"])) == ["n"]
    good = path.read_bytes()
    with pytest.raises(UserError, match=r"a\.parquet is missing, damaged"):
        made_files.read_parquet(path, ["height"])
    for content in (b"", b"PAR1", good[:-5], good[: len(good) // 2], b"image,n\n"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"a\.parquet is missing, damaged"):
            made_files.read_parquet(path)
