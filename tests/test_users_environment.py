"""Variables and folders of the user's shell change nothing of what a job computes."""

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
