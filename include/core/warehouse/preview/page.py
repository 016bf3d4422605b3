"""Stores the preview of a run as JSON and as an HTML page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from include.core.storage import PREVIEW, file_name, task_file_name, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from include.core.storage import File
    from include.core.warehouse.preview.model import LoadPreview, Row, RunPreview

STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em}table{border-collapse:collapse;margin:.5em 0 1.5em}"
    "th,td{border:1px solid #ccc;padding:.2em .6em;text-align:left;vertical-align:top;white-space:pre-wrap}"
    "th{background:#f3f3f3}del{color:#b00020}ins{color:#006b1b;text-decoration:none}.refused{color:#b00020}"
)
NULL = "<i>NULL</i>"


def store(preview: RunPreview, root: File) -> str:
    """Write ``preview/<dag>/<run>/<task>.html`` and ``….json`` below ``root``; return the URL of the page."""
    folder = root / PREVIEW / file_name(preview.dag_id) / file_name(preview.run_id)
    name = task_file_name(preview.task_id, preview.map_index)
    write(folder / f"{name}.json", preview.model_dump_json(indent=1).encode())
    return write(folder / f"{name}.html", page(preview).encode())


def page(preview: RunPreview) -> str:
    """Return the HTML page, in which all values are escaped."""
    title = escape(f"Preview of {preview.dag_id}.{preview.task_id}, {preview.run_id}")
    refused = f'<p class="refused">Refused: {escape(preview.refused)}</p>' if preview.refused else ""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"</head><body><h1>{title}</h1><p>Nothing was written.</p>{refused}"
        f"{''.join(part for load in preview.loads for part in _load(load))}</body></html>\n"
    )


def _load(load: LoadPreview) -> Iterator[str]:
    yield f"<h2>{escape(load.dataset)}, partition {escape(load.partition)}</h2>"
    if not load.complete:
        missing = f"Missing: {escape(', '.join(load.missing))}." if load.missing else ""
        yield f'<p class="refused">The load would be incomplete. {missing}</p>'
    counts = {**load.rows.model_dump(), **load.changes.model_dump()}
    yield _table(counts, [[str(number) for number in counts.values()]])
    if load.columns:
        yield "<h3>Changed rows by column</h3>"
        yield _table(("column", "rows"), [[escape(name), str(number)] for name, number in load.columns.items()])
    for kind, rows in (("Added", load.examples.added), ("Removed", load.examples.removed)):
        if rows:
            yield f"<h3>{kind}, the first {len(rows)}</h3>"
            yield _table(rows[0], [[_value(value) for value in row.values()] for row in rows])
    if load.examples.changed:
        yield f"<h3>Changed, the first {len(load.examples.changed)}</h3>"
        pairs = [_pair(changed.old, changed.new) for changed in load.examples.changed]
        yield _table(load.examples.changed[0].new, pairs)
    if load.rejected:
        yield f"<h3>Rejected, the first {len(load.rejected)}</h3>"
        names = tuple(load.rejected[0].model_dump())
        yield _table(names, [[_value(value) for value in row.model_dump().values()] for row in load.rejected])


def _pair(old: Row, new: Row) -> list[str]:
    return [
        _value(value) if value == old[name] else f"<del>{_value(old[name])}</del> <ins>{_value(value)}</ins>"
        for name, value in new.items()
    ]


def _value(value: object) -> str:
    return NULL if value is None else escape(str(value))


def _table(header: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are escaped already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
