"""Pages from Jinja2 templates, each a file next to the module that fills it in.

The template of ``page.py`` is ``page.html.jinja`` or ``page.tex.jinja``. By this name it belongs to
the module's code (:mod:`cellseg.runtime.code_fingerprint`): an edit of it reruns what uses it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def html(module: str) -> "Template":
    """The HTML template of a module, which escapes all that is put into it.

    Parameters
    ----------
    module : the module's ``__file__``
    """
    return _template(module, "html", _environment())


def latex(module: str, escape: Callable[[str], str]) -> "Template":
    r"""The LaTeX template of a module, which escapes all that is put into it.

    Braces and percent signs are LaTeX's: values are in ``((( )))``, statements in ``((* *))`` and
    comments in ``((= =))``.

    Parameters
    ----------
    module : the module's ``__file__``
    escape : makes LaTeX of plain text
    """
    from markupsafe import Markup

    def finished(value: object) -> Markup:
        # Markup is what a macro gave; Jinja2 would escape anything else as HTML.
        return value if isinstance(value, Markup) else Markup(escape(str(value)))

    environment = _environment(
        variable_start_string="(((",
        variable_end_string=")))",
        block_start_string="((*",
        block_end_string="*))",
        comment_start_string="((=",
        comment_end_string="=))",
        finalize=finished,
    )
    return _template(module, "tex", environment)


def _environment(**options: object) -> "Environment":
    from jinja2 import Environment, StrictUndefined

    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


def _template(module: str, kind: str, environment: "Environment") -> "Template":
    path = Path(module).with_suffix(f".{kind}.jinja")
    return environment.from_string(path.read_text(encoding="utf-8"))
