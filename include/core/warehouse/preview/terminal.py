"""Prints a preview in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from include.core.warehouse.preview.model import LoadPreview, Preview, Row

SHOWN = 5  # rejected rows
SIDE_BY_SIDE = 3  # rows, which may have many columns
WIDEST = 60  # characters of a value


def show(console: Console, preview: Preview) -> None:
    """Print counts, rejected rows and the first accepted rows."""
    _print_counts(console, preview)
    if preview.refused:
        console.print(whole(f"refused: {preview.refused.message}"), style="red")
    _print_rows(console, f"{preview.dataset}: the first accepted rows", preview.sample)


def show_load(console: Console, preview: LoadPreview) -> None:
    """Print counts, rejected rows, and examples of what would change."""
    _print_counts(console, preview)
    if not preview.complete:
        missing = f"; missing: {', '.join(preview.missing)}" if preview.missing else ""
        console.print(whole(f"the load would be incomplete{missing}"), style="red")
    if preview.columns:
        _print(console, "Changed rows by column", preview.columns, [map(str, preview.columns.values())])
    _print_rows(console, "Added", preview.examples.added)
    pairs = (
        {
            name: value if value == changed.old[name] else f"{_text(changed.old[name])} → {_text(value)}"
            for name, value in changed.new.items()
        }
        for changed in preview.examples.changed
    )
    _print_rows(console, "Changed", list(pairs))
    _print_rows(console, "Removed", preview.examples.removed)


def _print_counts(console: Console, preview: Preview) -> None:
    counts = preview.rows.model_dump() | (preview.changes.model_dump() if preview.changes else {})
    _print(console, preview.dataset, counts, [map(str, counts.values())])
    if preview.rejected:
        rows = [row.model_dump(exclude={"file"}) for row in preview.rejected[:SHOWN]]
        cells = [["" if value is None else str(value) for value in row.values()] for row in rows]
        _print(console, "Rejected", rows[0], cells)


def _print_rows(console: Console, title: str, rows: list[Row]) -> None:
    """Print the first rows side by side, each column of the dataset in a line."""
    if shown := rows[:SIDE_BY_SIDE]:
        header = ["column", *(f"row {number}" for number in range(1, len(shown) + 1))]
        _print(console, title, header, ([name, *(_text(row[name]) for row in shown)] for name in shown[0]))


def _print(console: Console, title: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    table = Table(title=printable(title), title_justify="left")
    for name in header:
        table.add_column(printable(name), overflow="fold")
    for row in rows:
        table.add_row(*map(printable, row))
    console.print(table)


def printable(text: str) -> Text:
    """Return the start of a text, without markup and control characters, which could change the terminal."""
    return whole(text if len(text) <= WIDEST else text[:WIDEST] + "…")


def whole(text: str) -> Text:
    """Return a text without markup and control characters, however long it is."""
    return Text("".join(char if char.isprintable() or char == "\n" else "�" for char in text))


def _text(value: object) -> str:
    return "NULL" if value is None else str(value)
