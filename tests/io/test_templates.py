"""Templates next to modules: what is put into them is text, never markup."""

import pytest
from jinja2 import UndefinedError

from cellseg.io import templates
from cellseg.tables.formatted import latex

TEXTS = ["<script>alert(1)</script>", "\"'&", "{{ 7 * 7 }}", "{% raw %}"]


@pytest.fixture
def module(tmp_path):
    """A module with templates of a macro, a loop and an attribute."""
    (tmp_path / "page.html.jinja").write_text(
        "{% macro cell(text) %}<td title='{{ text }}'>{{ text }}</td>{% endmacro %}\n"
        "{% for text in texts %}\n{{ cell(text) }}\n{% endfor %}\n"
    )
    (tmp_path / "page.tex.jinja").write_text(
        "((= no comment is printed =))\n"
        "((* macro cell(text) *))\\textbf{((( text )))}((* endmacro *))\n"
        "((* for text in texts *))\n((( cell(text) ))) & ((( text ))) \\\\ % {#1}\n((* endfor *))\n"
    )
    return str(tmp_path / "page.py")


@pytest.mark.parametrize("text", TEXTS)
def test_html_is_escaped_once(module, text):
    (line,) = templates.html(module).render(texts=[text]).splitlines()
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = escaped.replace('"', "&#34;").replace("'", "&#39;")
    assert line == f"<td title='{escaped}'>{escaped}</td>"


@pytest.mark.parametrize("text", [*TEXTS, r"\input{x}", "5 % of a_b & $x$", "((( 7 * 7 )))"])
def test_latex_is_escaped_once_and_never_as_html(module, text):
    lines = templates.latex(module, latex.escape).render(texts=[text]).strip().splitlines()
    escaped = latex.escape(text)
    assert lines == [rf"\textbf{{{escaped}}} & {escaped} \\ % {{#1}}"]


def test_numbers_are_text_too(module):
    assert templates.latex(module, latex.escape).render(texts=[7]).strip().startswith(r"\textbf{7}")


def test_what_is_not_given_is_an_error(module):
    for template in (templates.html(module), templates.latex(module, latex.escape)):
        with pytest.raises(UndefinedError, match="texts"):
            template.render()
