"""Values that a float, a type's range or a careless reader would change: they are loaded exactly, or quarantined."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from devstack.state import REPOSITORY
from include.core.csv_files.dialect import CsvError
from include.core.csv_files.load import load_csv
from include.core.csv_files.reader import LONGEST_FIELD, CsvReader
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.dataset import HIDDEN, Column, Dataset
from include.core.warehouse.validation.validate import validated

ITEMS = Dataset(
    name="items",
    columns=(
        Column("id", "bigint"),
        Column("name", "text", nullable=True),
        Column("amount", "numeric", nullable=True),
        Column("at", "timestamp with time zone", nullable=True),
        Column("phone", "bigint", nullable=True, minimum=1000, pii=True),
    ),
    key=("id",),
    timezone="Europe/London",
)
HEADER = "id,name,amount,at,phone\n"

Load = Callable[..., tuple[list[Any], list[Any]]]


@pytest.fixture
def load(warehouse: str) -> Load:
    """Load a file with the header :data:`HEADER`; return the rows and the quarantined ones."""

    def steps(content: str | bytes, **options: Any) -> tuple[list[Any], list[Any]]:
        body = HEADER.encode() + content.encode() if isinstance(content, str) else content
        load_csv(io.BytesIO(body), ITEMS, warehouse, Attempt("dag", "load", "run", 1), max_bad_share=0.99, **options)
        with psycopg.connect(warehouse) as session:
            rows = session.execute("SELECT id, name, amount, at::text, phone FROM items ORDER BY id").fetchall()
            bad = session.execute("SELECT source_row, reason FROM quarantine ORDER BY source_row -> 'line'").fetchall()
        return rows, bad

    return steps


def test_ids_are_exact_or_quarantined(load: Load) -> None:
    rows, bad = load(
        " 9007199254740993,left padded,1,,\n9007199254740997 ,right padded,2,,\n"
        "1234567890123456789.0,from a float column,3,,\n1.23457E+12,from a spreadsheet,4,,\n"
        "1.234567000000E+12,all digits,5,,\n9223372036854775808,too large,6,,\n1.5,a fraction,7,,\n"
        "1E+999999,huge,8,,\n1_000,underscore,9,,\n"
    )
    assert [row[0] for row in rows] == [1234567000000, 9007199254740993, 9007199254740997, 1234567890123456789]
    assert [(row["line"], reason) for row, reason in bad] == [
        (5, "id: must show all digits; scientific notation has dropped some (got 1.23457E+12)"),
        (7, "id: must fit into 64 bits (got 9223372036854775808)"),
        (8, "id: must be a whole number (got 1.5)"),
        (9, "id: must fit into 64 bits (got 1E+999999)"),
        (10, "id: must be a finite number (got '1_000')"),
    ]


def test_values_beyond_a_type_are_quarantined_alone(load: Load) -> None:
    limit, tiny = "9.9E+131071", "1E-16383"
    rows, bad = load(
        f"x,bad id,1,,\n2,good,1,,\n3,,1E+200000,,\n4,,1E-16384,,\n5,,{limit},,\n6,,{tiny},,\n"
        "7,,,0001-01-01T00:00:00+01:00,\n8,,,9999-12-31T23:59:59-05:00,\n9,,,9999-12-31 23:59:59,\n"
    )
    assert [row[:3] for row in rows] == [
        (2, "good", 1), (5, None, Decimal(limit)), (6, None, Decimal(tiny)), (9, None, None),
    ]  # fmt: skip
    assert [(row["line"], reason.partition(" (got")[0]) for row, reason in bad] == [
        (2, "id: must be a finite number"),
        (4, "amount: must have at most 131072 digits before the point, 16383 after it"),
        (5, "amount: must have at most 131072 digits before the point, 16383 after it"),
        (8, "at: must lie between 0001-01-01 and 9999-12-31 in UTC"),
        (9, "at: must lie between 0001-01-01 and 9999-12-31 in UTC"),
    ]


def test_times_without_an_offset_are_in_the_datasets_time_zone(load: Load) -> None:
    rows, bad = load(
        "1,winter,,2010-12-20 08:20:00,\n2,summer,,2011-08-12 14:50:00,\n3,offset,,2011-08-12T14:50:00+00:00,\n"
        "4,skipped,,2011-03-27 01:30:00,\n"
    )
    times = [row[3].replace("+00", "") for row in rows]
    assert times == ["2010-12-20 08:20:00", "2011-08-12 13:50:00", "2011-08-12 14:50:00"]
    assert [reason for _, reason in bad] == [
        "at: this time doesn't exist in Europe/London: daylight saving time started (got '2011-03-27 01:30:00')"
    ]


def test_personal_data_is_masked_in_quarantine(load: Load) -> None:
    _, bad = load("1,a\0b,1,,4412345\n2,,,,12\n3,,,,number\n4,,4412345\n5,good,,,4412345\n")
    assert bad == [
        (
            {"line": 2, "id": "1", "name": r"a\x00b", "amount": "1", "at": "", "phone": HIDDEN},
            "name: the text contains a NUL character or a lone surrogate, which PostgreSQL can't store (got 'a\\x00b')",
        ),
        (
            {"line": 3, "id": "2", "name": "", "amount": "", "at": "", "phone": HIDDEN},
            "phone: must be at least 1000",
        ),
        (
            {"line": 4, "id": "3", "name": "", "amount": "", "at": "", "phone": HIDDEN},
            "phone: must be a finite number",
        ),
        ({"line": 5, "cells": HIDDEN}, "has 3 fields, the header 5"),
    ]


FIRST_FILE = """
import io
from include.core.csv_files.reader import CsvReader
from tests.integration.csv_files.test_exact_values import HEADER, ITEMS
file = io.BytesIO((HEADER + '1,"' + "x" * 149_999 + '\\n",,,').encode())
print([len(cell.as_py()) for batch in CsvReader(file, ITEMS) for cell in batch.cells["name"]])
"""


def test_long_fields(load: Load) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_FILE],
        cwd=REPOSITORY, env={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'plugins'}", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "[150000]", done.stderr
    rows, _ = load(f"1,{'x' * LONGEST_FIELD},,,\n")
    assert len(rows[0][1]) == LONGEST_FIELD
    with pytest.raises(CsvError, match=r"line 3: .*field larger than field limit \(1048576\); nothing was loaded"):
        load(f"1,,,,\n2,{'x' * (LONGEST_FIELD + 1)},,,\n")
    with pytest.raises(CsvError, match=r"line 1: .*field larger than field limit"):
        load(("x" * (LONGEST_FIELD + 1) + "," + HEADER).encode(), delimiter=",")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [None, ","])
def test_utf_16_without_a_mark_is_named(load: Load, encoding: str, delimiter: str | None) -> None:
    content = (HEADER + "1,one,1,,\n").encode(encoding)
    with pytest.raises(CsvError, match="it looks like UTF-16; specify its encoding") as caught:
        load(content, delimiter=delimiter)
    assert "\0" not in str(caught.value)
    rows, _ = load(content, encoding=encoding)
    assert rows[0][:2] == (1, "one")


def test_what_cannot_be_decoded_is_named(load: Load) -> None:
    with pytest.raises(CsvError, match="line 1: the file can't be read further: UTF-16 stream does not start with BOM"):
        load((HEADER + "1,one,1,,\n").encode("utf-16-le"), encoding="utf-16")
    packed = bytearray(gzip.compress((HEADER + "1,one,1,,\n").encode()))
    packed[12] ^= 0xFF
    with pytest.raises(CsvError, match="can't be read"):
        load(bytes(packed))


def test_a_header_is_escaped_in_the_message(load: Load) -> None:
    with pytest.raises(CsvError, match=r"Columns: id, \\x1b\[31mname"):
        load(b"id,\x1b[31mname\n1,2\n")


def test_columns_outside_the_dataset_are_masked_in_quarantine(load: Load) -> None:
    _, [(row, _)] = load(b"id,name,amount,at,phone,note\nx,Ann,1,,,call 5551234\n7,Bob,1,,,\n")
    assert (row["name"], row["note"]) == ("Ann", HIDDEN)


def test_a_bound_is_compared_as_written() -> None:
    column = Column("share", "numeric", minimum=0.1, maximum=0.3)
    dataset = Dataset("shares", (Column("id", "bigint"), column), key=("id",))
    file = io.BytesIO(b"id,share\n1,0.1\n2,0.3\n3,0.09\n4,0.30000000000000000001\n5,0.10000000000000000000\n6,1e-1\n")
    [judged] = validated(CsvReader(file, dataset), dataset)
    assert judged.accepted["id"].to_pylist() == [1, 2, 5, 6]
    assert [item.reason for item in judged.rejected] == [
        "share: must be at least 0.1 (got 0.09)",
        "share: must be at most 0.3 (got 0.30000000000000000001)",
    ]


def test_a_rejected_row_is_stored_as_it_was_received(load: Load) -> None:
    texts = ['say "\\t"', "\\", "\\N", "a\tb", "two\nlines", "\r", "\x01\x7f", "\U0001f600 é", "{}, [", "\\u0000", ""]
    rows = "".join('x,"{}",1,,5551234\n'.format(text.replace('"', '""')) for text in texts)
    _, bad = load(f"1,ok,1,,\n{rows}x,a\0b,1,,5551234\n", name='in"box\\.csv')
    assert [row["name"] for row, _ in bad] == [*texts, r"a\x00b"]
    assert {(row["id"], row["phone"], row["file"]) for row, _ in bad} == {("x", HIDDEN, 'in"box\\.csv')}
