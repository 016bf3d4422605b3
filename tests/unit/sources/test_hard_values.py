"""Values that a converter or a rule can trip over: each is loaded or rejected, with its reason, file and line."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from include.core.sources.errors import SourceError
from include.core.sources.files import load_source, parse_source
from include.core.sources.model import Source
from include.core.sources.rows import SplitRows, split_rows
from include.core.warehouse.dataset import HIDDEN
from include.domains.sources import FOLDER

DAY = dt.date(2024, 6, 1)
YAML = """\
name: things
description: Things with values of every type.
owner: data-platform
schedule: "0 6 * * *"
start_date: 2024-01-01
path: /things
timezone: America/New_York
key: [id]
rules:
  - {rule}
columns:
  id: {{type: integer}}
  whole: {{type: integer, nullable: true}}
  number: {{type: number, nullable: true}}
  decimal: {{type: decimal, nullable: true}}
  text: {{type: text, nullable: true}}
  phone: {{type: text, nullable: true, pii: true}}
  date: {{type: date, nullable: true}}
  opened_at: {{type: timestamp, nullable: true}}
  closed_at: {{type: timestamp, nullable: true}}
"""


def source(rule: str = "closed_at >= opened_at") -> Source:
    return parse_source(YAML.format(rule=rule), Path("sources/things.yaml"))


def split(*rows: dict[str, Any], of: Source | None = None, day: dt.date = DAY) -> SplitRows:
    return split_rows(of or source(), day, [json.dumps(row) for row in rows], "things.raw.jsonl")


def reasons(*rows: dict[str, Any]) -> list[str]:
    return [item.reason for item in split(*rows).rejected]


def test_the_first_and_last_times() -> None:
    times = ["2024-06-01T10:00:00", "9999-12-31T23:59:59", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+01:00"]
    good, rejected = split(*({"id": number, "closed_at": time} for number, time in enumerate(times, start=1)))
    assert [row["closed_at"] for row in good] == [dt.datetime(2024, 6, 1, 14, tzinfo=dt.UTC)]
    assert [(item.row["line"], item.reason) for item in rejected] == [
        (line, f"closed_at: must lie between 0001-01-01 and 9999-12-31 in UTC (got {time!r})")
        for line, time in enumerate(times[1:], start=2)
    ]


def test_a_day_at_the_end_of_time_is_another_day() -> None:
    dated = source().model_copy(update={"day_column": "closed_at"})
    [row] = split({"id": 1, "closed_at": "0001-01-01T01:00:00Z"}, of=dated).rejected
    assert row.reason == "closed_at: must lie on 2024-06-01, the requested day, not on 0001-01-01"


def test_a_personal_day_is_not_shown() -> None:
    yaml = YAML.format(rule="closed_at >= opened_at").replace(
        "closed_at: {type: timestamp,", "closed_at: {type: timestamp, pii: true,"
    )
    dated = parse_source(yaml, Path("sources/things.yaml")).model_copy(update={"day_column": "closed_at"})
    [row] = split({"id": 1, "closed_at": "1999-05-05T05:00:00"}, of=dated).rejected
    assert row.reason == "closed_at: must lie on 2024-06-01, the requested day"
    assert "1999" not in str(row)


@pytest.mark.parametrize("name", ["id", "whole", "number", "decimal", "text", "date", "opened_at"])
def test_every_value_is_loaded_or_rejected(name: str) -> None:
    values: list[Any] = [10**400, -(10**400), 1e308, "9" * 5000, [], {}, True, [[[]]], "1e999999999", "\0"]
    good, rejected = split(*({"id": number, name: value} for number, value in enumerate(values)))
    assert len(good) + len(rejected) == len(values)
    assert rejected


@pytest.mark.parametrize("text", ["a\0b", "half \ud83c pair"])
def test_text_that_postgresql_cannot_store_is_rejected_with_file_and_line(text: str) -> None:
    good, [item] = split({"id": 1, "text": "fine"}, {"id": 2, "text": text, "phone": "+44 20 7946 0958"})
    assert [row["id"] for row in good] == [1]
    assert (item.row["file"], item.row["line"]) == ("things.raw.jsonl", 2)
    assert item.row["row"] == {"id": 2, "text": text, "phone": HIDDEN}
    assert item.reason.startswith("text: the text contains a NUL character or a lone surrogate")
    [hidden] = reasons({"id": 1, "phone": text})
    assert "(got" not in hidden


def test_a_rule_between_columns() -> None:
    early, late = "2024-06-01T08:30:00", "2024-06-01T09:30:00"
    assert reasons(
        {"id": 1, "opened_at": late, "closed_at": early},
        {"id": 2, "opened_at": early, "closed_at": late},
        {"id": 3, "opened_at": early, "closed_at": early},
        {"id": 4, "opened_at": early},
        {"id": 5, "closed_at": early},
    ) == [
        "closed_at: must be at least opened_at (got 2024-06-01 12:30:00+00:00, 2024-06-01 13:30:00+00:00)",
    ]


def test_a_rule_with_exemptions() -> None:
    rule = source("number >= 0 unless text starts with A")
    rows = [{"id": n, "number": -1.5, "text": text} for n, text in enumerate(["A1", "B1", None])]
    assert [item.reason for item in split(*rows, of=rule).rejected] == [
        "number: must be at least 0 unless text starts with A (got -1.5)"
    ] * 2


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "closed_at after opened_at",
            r"must be a rule such as 'closed_at >= created_at' or .*; comparisons: >=, <=, >,",
        ),
        ("closed_at >= now()", "must be a rule such as"),
        ("closed >= opened_at", "'closed' isn't one of the columns: id, whole,"),
        ("closed_at >= opened", "'opened' isn't one of the columns"),
        ("number >= 0 unless kind starts with A", "'kind' isn't one of the columns"),
        ("number >= 0 unless whole starts with A", "'whole' must be a text, to start with A"),
        ("closed_at >= date", r"a timestamp \(closed_at\) can't be compared with a date \(date\)"),
        ("text >= phone", r"a text \(text\) can't be compared with a text \(phone\)"),
    ],
)
def test_an_invalid_rule_is_named_with_its_line(rule: str, message: str) -> None:
    with pytest.raises(SourceError, match=rf"sources/things.yaml:10: rules.0: {message}"):
        source(rule)


def test_support_requests_are_not_closed_before_they_are_created() -> None:
    row = {
        "ticket_id": "60000001", "created_at": "2025-04-04T08:30:00", "closed_at": "2025-04-04T00:00:00",
        "updated_at": None, "agency": "DSNY", "complaint_type": "Dead Animal", "descriptor": "Cat",
        "location_type": "Street", "incident_zip": "10001", "city": "NEW YORK", "borough": "MANHATTAN",
        "status": "Closed",
    }  # fmt: skip
    support = load_source(FOLDER / "support.yaml")
    good, [item] = split(row, row | {"ticket_id": "60000002", "closed_at": None}, of=support, day=dt.date(2025, 4, 4))
    assert len(good) == 1
    assert item.reason.startswith("closed_at: must be at least created_at")


def test_adjustments_of_bad_debt_may_be_negative() -> None:
    row = {
        "InvoiceNo": "A563986", "StockCode": "B", "Description": "Bad debt correction", "Quantity": 1,
        "InvoiceDate": "2011-08-12 14:51:00", "UnitPrice": -11062.06, "CustomerID": None, "Country": "United Kingdom",
    }  # fmt: skip
    sales = load_source(FOLDER / "sales.yaml")
    good, [item] = split(row, row | {"InvoiceNo": "563986"}, of=sales, day=dt.date(2011, 8, 12))
    assert [line["unit_price"] for line in good] == ["-11062.06"]
    assert item.reason.startswith("unit_price: must be at least 0 unless invoice_no starts with A")
