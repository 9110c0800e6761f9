"""Variables and folders of the user's shell change nothing of what a job computes."""

import ast

import pytest

from workflow_runner import TINY, Workflow

PICTURE = "results/data/tiny/report/data.png"


@pytest.fixture(scope="module")
def folder(checkout, tmp_path_factory):
    return Workflow.copy(checkout, tmp_path_factory.mktemp("shell"), TINY)


def test_another_package_of_the_name_and_a_notebooks_backend(folder, tmp_path):
    (tmp_path / "cellseg").mkdir()
    (tmp_path / "cellseg" / "__init__.py").write_text("raise RuntimeError('another cellseg')\n")
    variables = {
        "PYTHONPATH": str(tmp_path),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # Text is UTF-8 whatever the language of the system.
        "LC_ALL": "POSIX",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    done = folder.call(PICTURE, variables=variables)
    assert done.returncode == 0, done.stdout
    assert (folder.folder / PICTURE).is_file()


def test_every_text_file_is_utf_8(checkout):
    """Without an encoding, Python reads and writes that of the user's language."""
    files = [*(checkout / "scripts").rglob("*.py"), *(checkout / "envs").glob("*.py")]
    found = [
        f"{path.relative_to(checkout)}:{call.lineno}"
        for path in sorted(files)
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and _opens_text(call)
    ]
    assert not found
    rules = (checkout / "workflow/rules/common.smk").read_text("utf-8")
    assert ".read_text()" not in rules


def _opens_text(call: ast.Call) -> bool:
    """Whether a call opens a file as text and names no encoding."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) <= (name == "write_text")
    # Of what opens files, only open() and Path.open() have such a mode.
    is_path = isinstance(call.func, ast.Attribute)
    modes = [one.value for one in call.keywords if one.arg == "mode"]
    modes += call.args[0 if is_path else 1 :][:1]
    mode = getattr(modes[0], "value", "") if modes else "r"
    return (
        name == "open"
        and isinstance(mode, str)
        and mode in ("r", "w", "a", "x", "r+", "w+")
        and (not is_path or bool(modes))
    )
