"""Stores rejected rows, as received, with the reason."""

from __future__ import annotations

import json
import math
import tempfile
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

import pyarrow.compute as pc
from psycopg import sql

from include.core.warehouse.json_row import PLAIN, JsonRow, contains
from include.core.warehouse.storable import is_storable, storable_text
from include.core.warehouse.validation.rejections import Rejections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Rejected

DEEPEST = 50
KEPT = 100
TOGETHER = 1000
BLOCK = 1024 * 1024
NUL = r"\u0000"
ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))


class RejectedRows:
    """Rejected rows in a temporary file, so that any number of them takes the same memory.

    Attributes:
        first: the first hundred, for messages and previews.
        groups: the groups that lost a row; see ``Rejected.group``.
        without_group: how many rows, copies aside, have no known group.
    """

    def __init__(self) -> None:
        self.first: list[Rejected] = []
        self.groups: set[tuple[str, ...]] = set()
        self.without_group = 0
        self._count = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, rejected: Iterable[Rejected] | Rejections) -> None:
        """Keep rows, in the form in which quarantine stores them."""
        if isinstance(rejected, Rejections) and (texts := rejected.texts()) is not None:
            self.first += islice(rejected, KEPT - len(self.first))
            self._count += len(rejected)
            self.without_group += len(rejected)
            for rows, reasons in texts:
                parts: list[Any] = [_all_copied(rows), "\t", _all_copied(reasons), "\n"]
                lines: Any = pc.binary_join_element_wise(*parts, "")
                self._file.write(lines.buffers()[-1][: pc.sum(pc.binary_length(lines)).as_py()])
            return
        items = iter(rejected)
        while some := list(islice(items, TOGETHER)):
            self.first += some[: KEPT - len(self.first)]
            self._count += len(some)
            for item in some:
                if item.group is None:
                    self.without_group += not item.is_copy
                elif not item.is_copy:
                    self.groups.add(item.group)
            lines = (f"{_copied(storable_json(item.row))}\t{_copied(storable_text(item.reason))}\n" for item in some)
            self._file.write("".join(lines).encode())

    def lines(self) -> Iterator[list[bytes]]:
        """Yield lines of ``COPY``'s text format, many at a time: the JSON text and the reason of each row, in order."""
        self._file.seek(0)
        while lines := self._file.readlines(BLOCK):
            yield lines


def quarantine(
    session: Session, dataset: str, partition: str, attempt: Attempt, load_id: int, rejected: RejectedRows
) -> int:
    """Store ``rejected``, replacing the rows that earlier tries of the same task instance stored.

    Returns:
        How many rows were stored.
    """
    target = {"dataset": dataset, "partition_key": partition, **attempt.identity}
    conditions = [sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in target.items()]
    session.execute(sql.SQL("DELETE FROM quarantine WHERE {}").format(sql.SQL(" AND ").join(conditions)))
    columns = sql.SQL(", ").join(map(sql.Identifier, [*target, "load_id", "source_row", "reason"]))
    start = "".join(f"{_copied(str(value))}\t" for value in (*target.values(), load_id)).encode()
    with session.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY quarantine ({}) FROM STDIN").format(columns)) as copy:
            for lines in rejected.lines():
                copy.write(start + start.join(lines))
        return cursor.rowcount


def _copied(text: str) -> str:
    """Return a value in ``COPY``'s text format."""
    for plain, escaped in ESCAPES:
        text = text.replace(plain, escaped)
    return text


def _all_copied(texts: pa.Array[Any]) -> pa.Array[Any]:
    """Return values in ``COPY``'s text format."""
    for plain, escaped in ESCAPES:
        texts = pc.replace_substring(texts, plain, escaped) if contains(texts, plain) else texts
    return texts


def storable_json(row: Mapping[str, object]) -> str:
    """Return a row as JSON that ``jsonb`` can store: that of :func:`storable_value`, which few rows need."""
    if isinstance(row, JsonRow):
        return row.text
    try:
        text = PLAIN.encode(row)
    except (RecursionError, TypeError, ValueError):
        text = NUL
    return text if NUL not in text and is_storable(text) else json.dumps(storable_value(row))


def storable_value(value: object, depth: int = 0) -> object:
    """Return ``value`` in a form that ``jsonb`` can store; types that JSON doesn't have become text."""
    if depth > DEEPEST:
        return "(nested too deeply to be shown)"
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, dict):
        return {storable_text(str(name)): storable_value(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_value(item, depth + 1) for item in value]
    return storable_text(str(value))
