"""Tables of an experiment as one HTML page that needs nothing else."""

from collections.abc import Sequence
from html import escape

from cellseg.tables.formatted.content import Row, Table, Value

STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1.5rem 1rem; max-width: 72rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
section + section { margin-top: 3rem; }
h1 { font-size: 1.15rem; margin: 0 0 .75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid;
  font-size: .9rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .5rem; text-align: right; vertical-align: baseline; }
thead th { border-bottom: 1px solid; vertical-align: bottom; }
th[scope=row], thead th.name { text-align: left; font-weight: 400; min-width: 7rem; }
thead th.name { font-weight: 600; }
tbody.published { border-top: 1px solid; color: #4a4a4a; }
td { white-space: nowrap; }
.interval { display: block; color: #595959; }
td strong { color: #000; }
p { font-size: .85rem; max-width: 65rem; margin: .6rem 0 0; color: #333; }
@media print {
  body { max-width: none; padding: 0; font-size: 8pt; }
  .wide { overflow: visible; }
  th, td { padding: .15rem .35rem; }
  th[scope=row], thead th.name { min-width: 5rem; }
  section { break-inside: avoid; }
  @page { size: A4; margin: 12mm; }
}
""".strip()


def page(tables: Sequence[Table], title: str) -> str:
    """The page, each table with its notes beneath."""
    sections = "\n".join(_section(table, f"table-{n}") for n, table in enumerate(tables, 1))
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n"
        f"{sections}\n</body>\n</html>\n"
    )


def _section(table: Table, name: str) -> str:
    heads = "".join(
        [
            *(f'<th class="name" scope="col">{escape(text)}</th>' for text in table.names),
            *(f'<th scope="col">{_breakable(score.name)}</th>' for score in table.scores),
            '<th scope="col">seeds</th>',
        ]
    )
    body = "\n".join(_row(row, 1) for row in table.rows)
    published = "\n".join(_row(row, len(table.names)) for row in table.beneath)
    beneath = f'\n<tbody class="published">\n{published}\n</tbody>' if published else ""
    notes = "\n".join(f"<p>{escape(text)}</p>" for text in table.notes)
    return (
        f'<section aria-labelledby="{name}">\n<h1 id="{name}">{escape(table.title)}</h1>\n'
        f'<div class="wide" role="region" tabindex="0" aria-labelledby="{name}">\n<table>\n'
        f"<thead>\n<tr>{heads}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>{beneath}\n</table>\n"
        f"</div>\n{notes}\n</section>"
    )


def _row(row: Row, columns: int) -> str:
    span = f' colspan="{columns}"' if columns > 1 else ""
    names = "".join(f'<th scope="row"{span}>{escape(text)}</th>' for text in row.names)
    values = "".join(f"<td>{_value(value)}</td>" for value in row.values)
    return f"<tr>{names}{values}<td>{escape(row.seeds)}</td></tr>"


def _breakable(name: str) -> str:
    return escape(name).replace("_", "_<wbr>")


def _value(value: Value) -> str:
    mean = f"<strong>{value.number}</strong>" if value.marked else value.number
    interval = f' <span class="interval">± {value.interval}</span>' if value.interval else ""
    return mean + interval
