"""Drafts a source's YAML from rows: types by all of its values, keys, and in comments what isn't sure."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from dataclasses import dataclass
from itertools import combinations, count
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from include.core import exact_json
from include.core.csv_files.dialect import SAMPLE_LINES, CsvError, detect
from include.core.csv_files.fetch import as_text, head
from include.core.errors import UnreadableError
from include.core.formats.compression import decompressed
from include.core.formats.contract import FileContract
from include.core.formats.reader import objects, reader_of
from include.core.formats.recognise import encoding_of, recognise
from include.core.sources.api import Api
from include.core.sources.model import BUILT_IN
from include.core.warehouse.dataset import LINEAGE, Column, Dataset
from include.core.warehouse.validation.engine import database
from include.core.warehouse.validation.expressions import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from include.core.formats.recognise import Format
    from include.core.sources.envelope import Envelope

MOST_COLUMNS = 200
KEY_COLUMNS = 8  # that pairs are made of
SCHEMA = "source.schema.json"
PERSONAL = re.compile(r"name|mail|phone|address|street|birth|customer|user|person|ip$", re.IGNORECASE)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
PATTERNS = {
    "integer": "[+-]?(0|[1-9][0-9]{0,17})",
    "decimal": r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?",
    "boolean": "true|false",
    "date": DATE,
    "timestamp": rf"{DATE}[T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?(Z|[+-][0-2][0-9]:?[0-5][0-9])?",
}
JSON_KINDS = {"integer": "n", "decimal": "ns", "boolean": "b", "date": "s", "timestamp": "s"}


@dataclass(frozen=True)
class Field:
    """What all values of a field have in common; ``fitting`` counts those of each type."""

    name: str
    column: str
    rows: int
    values: int
    distinct: int
    first: str | None
    last: str | None
    fitting: dict[str, int]

    @property
    def type(self) -> str:
        """The narrowest type that all values have."""
        return next((kind for kind, count in self.fitting.items() if self.values and count == self.values), "text")

    @property
    def is_unique(self) -> bool:
        """Whether the field could be a key."""
        return self.values == self.rows == self.distinct and self.type != "decimal"


def draft(name: str, file: BinaryIO, file_name: str) -> str:
    """Return the YAML of the source ``name``, with the types, keys and null values of a file.

    Args:
        name: of the source.
        file: the file; seekable.
        file_name: its name.

    Raises:
        UnreadableError: if the file can't be read, or has no rows or no fields.
    """
    with decompressed(file) as content, database() as connection:
        fields = _profile(connection, content, file_name)
        keys = _keys(connection, fields)
    dated = DAY.sub("{day}", PurePath(file_name).name)
    if "{day}" not in dated:
        dated = f"{name}_{{day}}{''.join(PurePath(file_name).suffixes[-2:])}"
    return _yaml(name, "a file", [f"files: {{folder: {name}, name: {json.dumps(dated)}}}"], fields, keys)


def draft_of_api(name: str, conn_id: str, path: str, envelope: Envelope) -> str:
    """Return the YAML of the source ``name`` that reads an API, with what a page of it shows.

    Args:
        name: of the source.
        conn_id: the API's connection.
        path: below the connection's host.
        envelope: the page.

    Raises:
        UnreadableError: if the rows have no fields, or too many.
    """
    nested = sorted({field for row in envelope.rows for field, value in row.items() if isinstance(value, dict | list)})
    flat = [{field: value for field, value in row.items() if field not in nested} for row in envelope.rows]
    content = io.BytesIO(exact_json.dumps(flat).encode("utf-8", "surrogatepass"))
    with database() as connection:
        fields = _profile(connection, content, "rows.json")
        keys = _keys(connection, fields)
    if envelope.is_partial:  # a pair that is unique on a page is often repeated on the next
        keys = [key for key in keys if len(key) == 1]
    doubts = [*envelope.doubts, *([f"nested, so not loaded: {', '.join(nested)}"] if nested else [])]
    where = [f"connection: {conn_id}", f"path: {path}"]
    block = {field: value for field, value in envelope.block.items() if value != {}}
    if Api.model_validate(block) != Api():
        where += ["api:", *(f"  {field}: {json.dumps(value, ensure_ascii=False)}" for field, value in block.items())]
    if envelope.page_size:
        where.append(f"limits: {{page_size: {envelope.page_size}}}")
    return _yaml(name, "a page of the API", [*(f"# {doubt}" for doubt in doubts), *where], fields, keys)


def _profile(connection: duckdb.DuckDBPyConnection, content: BinaryIO, file_name: str) -> list[Field]:
    """Load all values as text into the table ``cells``, and describe each field."""
    kind = recognise(content, file_name)
    names = _header(content) if kind == "csv" else _json_fields(kind, content)
    if not 0 < len(names) <= MOST_COLUMNS:
        raise UnreadableError(f"the file has {len(names)} fields; 1 to {MOST_COLUMNS} are allowed", line=1)
    columns = _column_names(names)
    dataset = Dataset("draft", tuple(Column(column, "text") for column in columns), key=(columns[0],))
    contract = FileContract(dataset, rename=dict(zip(columns, names, strict=True)), format=kind)
    declared = ", ".join(f"c{index} VARCHAR, k{index} VARCHAR" for index in range(len(columns)))
    connection.execute(f"CREATE TABLE cells ({declared})")
    for batch in reader_of(contract, dataset, content, file_name).reader:
        for item in batch.malformed:
            raise UnreadableError(f"line {item.row['line']}: {item.reason}; correct the file")
        untyped = pa.nulls(len(batch.lines), pa.string())
        arrays = [array for column in columns for array in (batch.cells[column], batch.kinds.get(column, untyped))]
        connection.from_arrow(pa.table(arrays, names=[str(number) for number in range(len(arrays))])).insert_into(
            "cells"
        )
    fields = [_field(connection, index, *pair) for index, pair in enumerate(zip(names, columns, strict=True))]
    if not fields[0].rows:
        raise UnreadableError("the file has no rows, so nothing can be said of their types")
    return fields


def _field(connection: duckdb.DuckDBPyConnection, index: int, name: str, column: str) -> Field:
    value, kind = f"nullif(c{index}, '')", f"k{index}"
    is_day = f" AND TRY_CAST(left({value}, 10) AS DATE) IS NOT NULL"
    has_numbers = f"bool_or({value} IS NOT NULL AND ({kind} IS DISTINCT FROM 's' OR contains({value}, '.')))"
    counts = [
        f"count(*) FILTER (regexp_full_match({value}, {literal(pattern)}) AND ({kind} IS NULL OR"
        f" contains({literal(JSON_KINDS[type_])}, {kind})){is_day if type_ in {'date', 'timestamp'} else ''})"
        for type_, pattern in PATTERNS.items()
    ]
    place = list(PATTERNS).index("decimal")  # texts of digits alone are identifiers
    counts[place] = f"CASE WHEN {has_numbers} THEN {counts[place]} ELSE 0 END"
    query = (  # of our own names and patterns
        f"SELECT count(*), count({value}), count(DISTINCT {value}), min({value}), max({value}), {', '.join(counts)}"  # noqa: S608
        " FROM cells"
    )
    [(rows, values, distinct, first, last, *fitting)] = connection.execute(query).fetchall()
    return Field(name, column, rows, values, distinct, first, last, dict(zip(PATTERNS, fitting, strict=True)))


def _header(content: BinaryIO) -> list[str]:
    text = as_text(content, encoding_of(content))
    try:
        lines = head(text, SAMPLE_LINES)
        names = next(csv.reader(io.StringIO("".join(lines), newline=""), delimiter=detect(lines).delimiter), [])
    except csv.Error as error:
        raise CsvError(f"line 1: the header can't be read: {error}", 1) from error
    finally:
        text.detach()
    content.seek(0)
    return [name.strip() for name in names]


def _json_fields(kind: Format, content: BinaryIO) -> list[str]:
    fields: dict[str, None] = {}
    for number, row in enumerate(objects(kind, content), start=1):
        if not isinstance(row, dict):
            raise UnreadableError(f"row {number} isn't an object of fields", line=number)
        fields |= dict.fromkeys(map(str, row))
    return list(fields)


def _column_names(names: Sequence[str]) -> list[str]:
    """Return names that a column may have, unique, in lower case."""
    columns: list[str] = []
    for name in names:
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", unicodedata.normalize("NFKD", name))
        plain = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:36] or "field"
        plain = plain if plain[0].isalpha() else f"f_{plain}"[:36]
        taken = {*columns, *BUILT_IN, *LINEAGE}
        columns.append(next(item for item in _numbered(plain) if item not in taken))
    return columns


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def _keys(connection: duckdb.DuckDBPyConnection, fields: Sequence[Field]) -> list[tuple[str, ...]]:
    """Return the fields, or else pairs of them, that no two rows share."""
    if single := [(field.column,) for field in fields if field.is_unique]:
        return list(single)
    whole = [(index, field) for index, field in enumerate(fields) if field.values == field.rows]
    pairs: list[tuple[str, ...]] = []
    for (a, first), (b, second) in combinations(whole[:KEY_COLUMNS], 2):
        if first.distinct * second.distinct >= first.rows:
            [(distinct,)] = connection.execute(f"SELECT count(DISTINCT (c{a}, c{b})) FROM cells").fetchall()  # noqa: S608
            pairs += [(first.column, second.column)] if distinct == first.rows else []
    return pairs


def _yaml(
    name: str, origin: str, where: Sequence[str], fields: Sequence[Field], keys: Sequence[tuple[str, ...]]
) -> str:
    key, *others = keys or [("line",)]
    notes = {field.column: "; ".join(_doubts(field)) for field in fields}
    key_note = "" if keys else "  # no field, and no pair, is unique: the position of the row"
    key_note = f"  # also unique: {', '.join(map('+'.join, others))}" if others else key_note
    day = next((field for field in fields if field.type in {"date", "timestamp"} and _is_one_day(field)), None)
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        f"# Drafted from {fields[0].rows} rows of {origin}; a comment says what isn't sure. Try it with make preview.",
        f"name: {name}",
        f"description: What a row of {name} is, and who records it.",
        "owner: data-platform",
        'schedule: "0 6 * * *"',
        "start_date: 2024-01-01",
        *where,
        "timezone: UTC  # of the days, and of times without an offset",
        *([f"day_column: {day.column}  # all of its values are on one day"] if day else []),
        f"key: [{', '.join(key)}]{key_note}",
        "max_bad_share: 0.01",
        "freshness: 30.5",
        "columns:",
        *(
            f"  {field.column}: {_column(field)}{f'  # {note}' if (note := notes[field.column]) else ''}"
            for field in fields
        ),
    ]
    return "\n".join(lines) + "\n"


def _column(field: Field) -> str:
    parts = [f"type: {field.type}"]
    if field.column != field.name:
        parts.append(f"from: {json.dumps(field.name, ensure_ascii=False)}")
    if field.values < field.rows:
        parts.append("nullable: true")
    return f"{{{', '.join(parts)}}}"


def _doubts(field: Field) -> Iterator[str]:
    """Yield what isn't sure of a field."""
    if not field.values:
        yield "no value at all, so the type isn't known"
    elif field.type == "text":
        kind, fitting = max(field.fitting.items(), key=lambda item: item[1])
        if fitting * 2 > field.values:
            yield f"{field.values - fitting} of {field.values} values aren't of type {kind}"
    if field.values and field.values < field.rows:
        yield f"{field.rows - field.values} of {field.rows} are empty"
    if field.type in {"integer", "decimal"} and field.values:
        yield "a range? see minimum and maximum"
    if field.type in {"integer", "boolean"} and field.distinct <= 2:
        yield "a flag?"
    if PERSONAL.search(field.name):
        yield "personal data? then pii: true"


def _is_one_day(field: Field) -> bool:
    """Return whether all values start with the same day; their texts sort as the times do."""
    return field.values == field.rows and (field.first or "")[:10] == (field.last or "")[:10]
