"""Which code a script runs, and when its fingerprint changes."""

import ast
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cellseg import models
from cellseg.runtime import code_digest, code_fingerprint, code_text


@pytest.fixture
def library(tmp_path):
    """A package of three modules, one of which nobody imports, and a script."""
    package = tmp_path / "scripts" / "package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text('"""A package."""\n')
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "deep.py").write_text("VALUE = 1\n")
    (package / "direct.py").write_text("def f():\n    from package.inner import deep\n")
    (package / "other.py").write_text("import package.direct\n")
    (tmp_path / "scripts" / "script.py").write_text("import numpy\nfrom package import direct\n")
    return package


def _fingerprint(library, *modules):
    for module in (code_fingerprint, code_digest, code_text):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    return code_fingerprint.fingerprint(library.parent / "script.py", library, modules)


def _names(library, *modules):
    found = code_fingerprint.used_by(library.parent / "script.py", library, modules)
    return [path.relative_to(library.parent).as_posix() for path in found]


def test_imports_are_followed(library):
    assert _names(library) == [
        "package/__init__.py", "package/direct.py", "package/inner/__init__.py",
        "package/inner/deep.py", "script.py",
    ]  # fmt: skip
    assert "package/other.py" in _names(library, "package.other")


def test_code_counts_and_words_do_not(library):
    before = _fingerprint(library)
    (library / "inner" / "deep.py").write_text('"""Explained."""\n\n# why\nVALUE = 1  # so\n')
    (library / "direct.py").write_text(
        'def f():\n    """Explained."""\n    from package.inner import deep\n'
    )
    assert _fingerprint(library) == before
    (library / "other.py").write_text("changed = True\n")
    assert _fingerprint(library) == before
    (library / "inner" / "deep.py").write_text("VALUE = 2\n")
    assert _fingerprint(library) != before


@pytest.mark.parametrize("ending", code_fingerprint.TEMPLATES)
def test_a_template_counts_for_the_module_of_its_name(library, ending):
    without = _fingerprint(library)
    (library / f"other{ending}").write_text("nobody imports the module other")
    (library / f"directly{ending}").write_text("no module has this name")
    assert _fingerprint(library) == without
    template = library / f"direct{ending}"
    template.write_text("<p>{{ one }}</p>")
    first = _fingerprint(library)
    template.write_text("<p> {{ one }}</p>")
    assert len({without, first, _fingerprint(library)}) == 3


def test_a_new_family_changes_the_fingerprint_of_none(library):
    (library / "models").mkdir()
    (library / "models" / "__init__.py").write_text("NAMES = ['first']\n")
    (library.parent / "script.py").write_text("from package import models\n")
    before = _fingerprint(library)
    (library / "models" / "__init__.py").write_text("NAMES = ['first', 'second']\n")
    assert _fingerprint(library) == before


def test_indentation_counts(library):
    deep = library / "inner" / "deep.py"
    deep.write_text("if x:\n    y()\n    z()\n")
    before = _fingerprint(library)
    deep.write_text("if x:\n    y()\nz()\n")
    assert _fingerprint(library) != before


def test_the_fingerprint_does_not_depend_on_the_place(library, tmp_path):
    before = _fingerprint(library)
    moved = tmp_path / "elsewhere"
    library.parent.rename(moved)
    assert _fingerprint(moved / "package") == before


# --- the same code elsewhere ---


@pytest.fixture
def digits(tmp_path):
    """Fingerprint of a script given, with the modules of a package, as text by file name."""
    places = (tmp_path / str(number) for number in itertools.count())

    def of(files, *modules):
        place = next(places)
        for name, text in {"package/__init__.py": "", **files}.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return code_fingerprint.fingerprint(place / "script.py", place / "package", modules)

    return of


TWO = {
    "script.py": "from package import high\n\nprint(high.run(2))\n",
    "package/high.py": "import numpy as np\nfrom package.low import FACTOR, read\n\n\n"
    "def run(x, y=1):\n    return read(np.linalg.norm(x)) * FACTOR + y\n",
    "package/low.py": "FACTOR = 3\n\n\ndef read(x):\n    return f'{x:.2f} mm'\n",
}

SAME = {
    "a module renamed": {
        **TWO, "package/low.py": "",
        "package/deep.py": TWO["package/low.py"],
        "package/high.py": TWO["package/high.py"].replace("package.low", "package.deep"),
    },
    "a module moved into a package": {
        **TWO, "package/low.py": "", "package/inner/__init__.py": '"""Inner."""\n',
        "package/inner/low.py": TWO["package/low.py"],
        "package/high.py": TWO["package/high.py"].replace("package.low", "package.inner.low"),
    },
    "a module that becomes a package": {
        **TWO, "package/low.py": "", "package/deep/__init__.py": TWO["package/low.py"],
        "package/high.py": TWO["package/high.py"].replace("package.low", "package.deep"),
    },
    "import as": {**TWO, "script.py": "import package.high as up\n\nprint(up.run(2))\n"},
    "import": {**TWO, "script.py": "import package.high\n\nprint(package.high.run(2))\n"},
    "from import as": {**TWO, "script.py": "from package.high import run as f\nprint(f(2))\n"},
    "import within a function, other forms, another order": {
        **TWO,
        "package/high.py": "from package import low\n\ndef run(x, y=1):\n"
        "    from numpy import linalg\n    return low.read(linalg.norm(x)) * low.FACTOR + y\n",
    },
    "by way of another module": {
        **TWO,
        "package/high.py": TWO["package/high.py"].replace("package.low", "package.between"),
        "package/between.py": "from package.low import FACTOR, read as read\n",
    },
    "a relative import": {
        **TWO, "package/high.py": TWO["package/high.py"].replace("package.low", ".low")
    },
    "definitions moved to another module": {
        "script.py": TWO["script.py"],
        "package/high.py": "import numpy\nfrom package.low import FACTOR\n\n"
        "def read(x):\n    return f'{x:.2f} mm'\n\n"
        "def run(x, y=1):\n    return read(numpy.linalg.norm(x)) * FACTOR + y\n",
        "package/low.py": "FACTOR = 3\n",
    },
    "definitions in another order": {
        **TWO, "package/low.py": "def read(x):\n    return f'{x:.2f} mm'\n\nFACTOR = 3\n"
    },
    "formatting, comments and docstrings": {
        **TWO,
        "package/low.py": '"""Low."""\nFACTOR = (  # of x\n    0x3)\n"""Of x."""\n\n'
        'def read(\n    x,\n):\n  """Read."""\n  return f"{x:.2f}" " mm"\n',
    },
    "imports for type checkers": {
        **TWO,
        "package/low.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from package import high\n" + TWO["package/low.py"],
    },
}  # fmt: skip


@pytest.mark.parametrize("change", SAME)
def test_how_code_is_arranged_does_not_count(digits, change):
    assert digits(SAME[change]) == digits(TWO)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("package/low.py", "3", "4"),
        ("package/low.py", "3", "3.0"),
        ("package/low.py", " mm", " cm"),
        ("package/low.py", ".2f", ".3f"),
        ("package/low.py", "x:", "x!r:"),
        ("package/low.py", "return f", "yield f"),
        ("package/high.py", "y=1", "y=2"),
        ("package/high.py", "* FACTOR", "/ FACTOR"),
        ("package/high.py", "* FACTOR", "* 3"),
        ("package/high.py", "linalg.norm", "linalg.det"),
        ("package/high.py", "import numpy as", "import cupy as"),
        ("package/high.py", "import numpy", "import matplotlib\nimport numpy"),
        ("package/high.py", "def run", "@property\ndef run"),
        ("script.py", "run(2)", "run(2, 3)"),
        ("script.py", "run(2)", "run(y=2)"),
        ("script.py", "run(2)", "run(*{2: None})"),
    ],
)
def test_what_code_does_counts(digits, name, old, new):
    assert old in TWO[name]
    assert digits({**TWO, name: TWO[name].replace(old, new)}) != digits(TWO)


def _differ(digits, first, second, **files):
    """Whether a script, given in two versions, has two fingerprints."""
    named = {f"package/{name}.py": text for name, text in files.items()}
    return digits({"script.py": first, **named}) != digits({"script.py": second, **named})


def test_a_function_of_the_same_name_elsewhere_is_another(digits):
    both = "from package import a, b\n"
    files = {"a": "def read(): return 1\n", "b": "def read(): return 2\n"}
    assert _differ(digits, both + "a.read()", both + "b.read()", **files)
    one, other = (f"import package.a, package.b\nfrom package.{m} import read\n" for m in "ab")
    assert _differ(digits, one + "read()", other + "read()", **files)
    assert not _differ(digits, one + "read()", both + "a.read()", **files)
    assert _differ(digits, both + "use(a)", both + "use(b)", **files)


def test_so_it_is_where_only_what_they_use_differs(digits):
    read = "from package.{0} import read as inner\ndef read(): return inner()\n"
    files = {
        "a": read.format("c"), "b": read.format("d"),
        "c": "def read(): return SIZE\nSIZE = 1\n", "d": "def read(): return SIZE\nSIZE = 2\n",
    }  # fmt: skip
    both = "from package import a, b\n"
    assert _differ(digits, both + "a.read()", both + "b.read()", **files)


def test_circular_imports_and_recursion_end(digits):
    files = {
        "script.py": "from package.a import f, lost\nf(lost)\n",
        "package/a.py": "from package import b\nfrom package.b import lost\ndef f(): b.g()\n",
        "package/b.py": "from package import a\nfrom package.a import lost\ndef g(): a.f()\n",
    }
    changed = {**files, "package/b.py": files["package/b.py"].replace("a.f()", "a.f(1)")}
    assert digits(files) == digits(files) != digits(changed)


BOTH = {"a": "def read(): return 1\n", "b": "def read(): return 2\n"}
USED = {
    "in a function": "def f(x): return read(x)",
    "in a default": "def f(read=read): return 1",
    "in a comprehension": "[read(x) for x in y]",
    "as its first iterable": "[read for read in read()]",
    "around a class with the name": "class A:\n    read = 1\n    def f(self): return read()",
    "before a class binds it": "class A:\n    read = read",
    "in a lambda": "f = lambda x: read(x)",
    "as a decorator": "@read\ndef f(): pass",
    "as an annotation": "def f(x: read): pass",
    "next to a function with the name": "def f():\n    def g(read): return read\n    return read()",
    "declared global": "def f():\n    global read\n    return read()",
    "where it may be replaced": "try:\n    x()\nexcept E:\n    read = None\nread()",
    "in a closure": "def f():\n    def g(): return read()\n    return g",
    "in a pattern": "match x:\n    case read(): pass",
}
SHADOWED = {
    "an argument": "def f(read): return read()",
    "a variable": "def f():\n    read = 1\n    return read",
    "a loop": "def f():\n    for read in x: print(read)",
    "a comprehension": "[read for read in x]",
    "a lambda": "f = lambda *read, **y: read",
    "an exception": "def f():\n    try: x()\n    except E as read: print(read)",
    "a with statement": "def f():\n    with x() as (read, y): print(read)",
    "a walrus within a comprehension": "def f(y):\n    [(read := x) for x in y]\n    return read",
    "an argument around it": "def f(read):\n    def g(): return read\n    return g",
    "a nonlocal": "def f(read):\n    def g():\n        nonlocal read\n        return read",
    "a pattern": "def f(x):\n    match x:\n        case [*read]: return read",
    "an attribute": "def f(x): return x.read()",
    "a keyword": "f(read=1)",
    "an import": "def f():\n    from numpy import read\n    return read()",
}
IMPORTS = tuple(f"import package.a, package.b\nfrom package.{name} import read\n" for name in "ab")


@pytest.mark.parametrize("use", USED)
def test_the_import_that_a_name_refers_to_counts(digits, use):
    one, other = (f"{imported}{USED[use]}\n" for imported in IMPORTS)
    assert _differ(digits, one, other, **BOTH)


@pytest.mark.parametrize("use", SHADOWED)
def test_a_name_that_is_bound_otherwise_is_no_import(digits, use):
    one, other = (f"{imported}{SHADOWED[use]}\n" for imported in IMPORTS)
    assert not _differ(digits, one, other, **BOTH)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x.append(1)", "x.append(2)"),
        ("x += 1", "x *= 2"),
        ("x = 1", "x = 2"),
        ("for y in x: print(y)", "x.clear()"),
        ("x.append(1)", "y = len(x)"),
        ("x.a = 1", "x.b = x.a"),
        ("def x(): pass", "def x(): return 1"),
        ("if x: y = 1", "if not x: y = 2"),
    ],
)
def test_the_order_of_what_is_done_counts(digits, first, second):
    assert _differ(digits, f"x = []\n{first}\n{second}\n", f"x = []\n{second}\n{first}\n")
    assert not _differ(digits, f"def z(): pass\n{first}\n{second}\n",
                       f"{first}\n{second}\ndef z(): pass\n")  # fmt: skip


def test_files_that_do_not_count_exist(checkout):
    assert set(code_fingerprint.UNFOLLOWED) <= set(code_fingerprint.UNWATCHED)
    for name in code_fingerprint.UNWATCHED:
        assert (checkout / "scripts/cellseg" / name).is_file(), name


# --- versions of Python ---

PRINT = """
import sys; from pathlib import Path; from cellseg import models
from cellseg.runtime.code_fingerprint import fingerprint
scripts = Path(sys.argv[1]); FAMILIES = tuple(one.module for one in models.FAMILIES.values())
for path in sorted(scripts.glob("*.py")):
    print(path.name, fingerprint(path, scripts / "package", ()),
          fingerprint(path, scripts / "cellseg", FAMILIES))
"""
SYNTAX = r'''
import numpy as np
def f(a, /, b: int = 10**9, *c, d=-1, e, **g) -> "x": return (yield), [*a, *b], {**g, None: 1}
async def h():
    async with a as b, c: await b
    return [x async for x in y if x if z], {x: y for x, y in z}, {x for x in y}
x = f"{x!r:>{width}} {{}} {y=} {z:}" "tail" f"{a['b']}{'c'}"; z = rb"\x00\xff"
y = "\u00e9\ud800 ä" """
 lines"""
f"{x:%Y-%m-%d}", f"{x = !s}", f"""{
    x}
  z""", f"", f"a" f"b", f"{f'{x}'}", f"{x:{y}{z}.{w}}", f"\N{BULLET}{x}\n"
1e400, 1j, 0.1, True, ..., 1_000, 0xff, -0.0, x[1:2, ...], x[()], a if b else c, a < b <= c, not a
try: raise A from b
except* (B, C) as e: pass
match x:
    case {"a": 1, **rest}: pass
    case A(b, c=[1, *_]) | None | -1.5 | (3 + 4j): pass
    case str() as s if s: pass
class A(B, metaclass=C):
    x: int
    (y): int = 1
    @property
    def z(self): "Doc."; return (w := 1)
lambda: (yield); del x, y[0]; assert x, y; global_ = np.a.b().c; a = b = c; (d, [e, *g]) = h
with (open(x) as y, z): pass
while x:
    if y: break
    else: continue
else: pass
'''


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_version_of_python_does_not_count(checkout, tmp_path, version):
    shutil.copytree(checkout / "scripts", tmp_path / "scripts")
    (tmp_path / "scripts/syntax.py").write_text(SYNTAX, encoding="utf-8", errors="surrogatepass")
    (tmp_path / "scripts/package").mkdir()

    def printed(python, **variables):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "scripts"), **variables}
        command = [python, "-W", "error", "-c", PRINT, str(tmp_path / "scripts")]
        return subprocess.check_output(command, env=environment, text=True)

    check = "import sys; assert sys.version_info[:2] == (3, {})".format(version.partition(".")[2])
    python = shutil.which(f"python{version}")
    chosen = {"PYENV_VERSION": version}  # where pyenv has it
    if (
        not python
        or subprocess.run(
            [python, "-c", check], env={**os.environ, **chosen}, capture_output=True
        ).returncode
    ):
        pytest.skip(f"no Python {version} here")
    assert printed(python, **chosen) == printed(sys.executable)


# --- this library ---


def _all_fingerprints(scripts):
    """Of every script with every family."""
    return {
        (path.name, family): code_fingerprint.fingerprint(path, scripts / "cellseg", (family,))
        for path in sorted(scripts.glob("*.py"))
        for family in sorted(one.module for one in models.FAMILIES.values())
    }


def _moved(text, names, package):
    """Source whose imports of modules of the library name the package they were moved into."""
    lines = text.splitlines()
    found = [
        one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Import | ast.ImportFrom)
    ]
    for node in sorted(found, key=lambda one: -one.lineno):
        written = []
        for alias in node.names:
            renamed = f" as {alias.asname}" if alias.asname else ""
            module = alias.name if isinstance(node, ast.Import) else node.module
            parts = module.split(".") if isinstance(node, ast.Import) else [module]
            if module == "cellseg" and alias.name in names:
                parts = ["cellseg", package]
            elif module.startswith("cellseg.") and module.split(".")[1] in names:
                parts = ["cellseg", package, *module.split(".")[1:]]
            module = ".".join(parts)
            one = (
                f"from {module} import {alias.name}"
                if isinstance(node, ast.ImportFrom)
                else (f"import {module}")
            )
            written.append(" " * node.col_offset + one + renamed)
        lines[node.lineno - 1 : node.end_lineno] = written
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("script", "template"),
    [
        ("apply", "apply/page.html.jinja"),
        ("format_tables", "tables/formatted/html_page.html.jinja"),
        ("format_tables", "tables/formatted/latex.tex.jinja"),
    ],
)
def test_an_edited_template_reruns_what_it_makes(checkout, tmp_path, script, template):
    """And nothing else."""
    before, after = tmp_path / "before", tmp_path / "after"
    for place in (before, after):
        shutil.copytree(checkout / "scripts", place)
    with (after / "cellseg" / template).open("a") as file:
        file.write("\n")
    first, second = _all_fingerprints(before), _all_fingerprints(after)
    changed = {name for (name, family), digits in first.items() if second[name, family] != digits}
    assert changed == {f"{script}.py"}


def test_every_template_counts(checkout):
    library = checkout / "scripts/cellseg"
    found = {
        path for module in library.rglob("*.py") for path in code_fingerprint.templates_of(module)
    }
    assert found == {*library.rglob("*.jinja")} and len(found) >= 3


def test_the_packages_of_this_library_may_move_into_another(checkout, tmp_path):
    """All of those that are not named by a file name or by a string, at once."""
    before, after = tmp_path / "before", tmp_path / "after"
    for place in (before, after):
        shutil.copytree(checkout / "scripts", place)
    library = after / "cellseg"
    names = {path.parent.name for path in library.glob("*/__init__.py")}
    names -= {name.partition("/")[0] for name in code_fingerprint.UNWATCHED}
    for path in sorted(after.rglob("*.py")):
        path.write_text(_moved(path.read_text(), names, "subject"))
    (library / "subject").mkdir()
    for name in sorted(names):
        (library / name).rename(library / "subject" / name)
    (library / "subject/__init__.py").write_text('"""A subject."""\n')
    assert len(names) > 10
    assert _all_fingerprints(after) == _all_fingerprints(before)
    used = code_fingerprint.used_by(after / "train.py", library, (models.FAMILIES["unet"].module,))
    assert library / "subject/training/loop.py" in used


def test_names_of_files_train_nothing_again(checkout, tmp_path):
    """A new file of a later step counts for no job; a rule whose output is renamed has none."""
    grown = tmp_path / "scripts"
    shutil.copytree(checkout / "scripts", grown)
    names = grown / "cellseg/io/run_files.py"
    text = names.read_text()
    names.write_text(f'{text.replace("metrics.csv", "scores.csv")}\nCALIBRATION = "sure.csv"\n')
    family = models.FAMILIES["unet"].module
    for script in ("train.py", "segment.py", "score.py"):
        before, after = (
            code_fingerprint.fingerprint(scripts / script, scripts / "cellseg", (family,))
            for scripts in (checkout / "scripts", grown)
        )
        assert after == before
        used = code_fingerprint.used_by(grown / script, grown / "cellseg", (family,))
        assert names in used and names.read_text() != text


def _used(scripts, script, *modules):
    """Modules of the library that a script uses, relative to it."""
    library = scripts / "cellseg"
    used = code_fingerprint.used_by(scripts / script, library, modules)
    return {path.relative_to(library).as_posix() for path in used if library in path.parents}


def test_training_watches_its_family_and_scoring_does_not(checkout):
    scripts = checkout / "scripts"

    def names(script, *modules):
        return _used(scripts, script, *modules)

    family = models.FAMILIES["deepcell"].module
    train = names("train.py", family)
    assert {"training/loop.py", "training/batches.py", "targets/heads.py"} <= train
    assert {"models/deepcell/family.py", "models/deepcell/compat.py"} <= train
    assert not {"scoring/objects.py", "segmentation/watershed.py", "figures/style.py"} & train
    assert "inference/sliding_window.py" not in train
    ours = names("train.py", models.FAMILIES["panopticnet"].module)
    assert {
        *("models/panopticnet/family.py", "models/panopticnet/network.py"),
        *("models/panopticnet/semantic_heads.py", "models/keras3/backend.py"),
    } <= ours
    assert "models/deepcell/compat.py" not in ours
    assert "models/panopticnet/network.py" not in train
    unet = names("train.py", models.FAMILIES["unet"].module)
    assert {
        *("models/unet/family.py", "models/unet/sizes.py"),
        *("models/keras3/learner.py", "models/keras3/steps.py"),
    } <= unet
    assert "models/panopticnet/semantic_heads.py" not in unet
    assert "models/unet/sizes.py" not in ours
    score = names("score.py")
    assert {"scoring/objects.py", "scoring/coco_average_precision.py"} <= score
    assert (
        not {
            *("training/loop.py", "models/deepcell/family.py"),
            *("segmentation/watershed.py", "targets/heads.py"),
        }
        & score
    )


def test_tuning_does_not_watch_the_scores_of_many_images(checkout):
    scripts = checkout / "scripts"
    found = _used(scripts, "tune.py")
    assert "scoring/objects.py" in found
    others = ("coco_average_precision.py", "pooled_pixels.py", "run.py")
    assert not {f"scoring/{name}" for name in others} & found


def test_overlays_do_not_watch_the_other_figures(checkout):
    scripts = checkout / "scripts"
    found = _used(scripts, "overlay.py")
    assert "figures/overlay.py" in found and "figures/backbones.py" not in found


def test_seaborn_is_imported_by_what_draws_and_only_when_it_does(checkout):
    """It takes a second, which no plan and no script that draws nothing has to wait for."""
    scripts = checkout / "scripts"
    drawing = set()
    for path in sorted(scripts.rglob("*.py")):
        tree = ast.parse(path.read_text())
        inside = {
            line for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
            for line in range(node.lineno, node.end_lineno + 1)
        }  # fmt: skip
        for node in ast.walk(tree):
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            names += [getattr(node, "module", None) or ""]
            if isinstance(node, ast.Import | ast.ImportFrom) and "seaborn" in str(names):
                assert node.lineno in inside, path
                drawing.add(path.relative_to(scripts / "cellseg").as_posix())
    assert drawing and all(name.startswith("figures/") for name in drawing)


def test_no_module_of_the_library_knows_the_workflow(checkout):
    for path in sorted((checkout / "scripts/cellseg").rglob("*.py")):
        text = path.read_text()
        assert "import snakemake" not in text and "results/" not in text, path


def test_scripts_are_thin(checkout):
    for path in sorted(Path(checkout / "scripts").glob("*.py")):
        assert len(path.read_text().splitlines()) <= 40, path


@pytest.mark.parametrize(
    "script",
    ["collect", "contact_sheet", "data_report", "figure", "format_tables", "fuse", "learning_curve",
     "overlay", "overview", "papers", "parse", "print_summary", "rasterize", "score", "segment",
     "simulate", "tile", "tune"],
)  # fmt: skip
def test_what_only_trainings_and_predictions_use_reruns_nothing_else(checkout, script):
    """A check of settings that is imported with something small would bring all of it along."""
    scripts = checkout / "scripts"
    used = code_fingerprint.used_by(scripts / f"{script}.py", scripts / "cellseg")
    assert scripts / "cellseg/training/batches.py" not in used
