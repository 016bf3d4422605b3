"""Tables of Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    names = list(head)
    yield _row(names)
    yield _row(["---"] * len(names))
    yield from map(_row, rows)


def cell(text: str) -> str:
    """Return a text that may stand in a cell."""
    return text.replace("|", "\\|").replace("<", "\\<").replace("\n", " ")


def code(text: str) -> str:
    """Return a text as code; empty if it is."""
    return f"`{text}`" if text else ""


def link(dag_id: str) -> str:
    """Return a link to a DAG's section in docs/DAGS.md."""
    return f"[{dag_id}](DAGS.md#{dag_id})"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
