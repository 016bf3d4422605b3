"""Values, rows and keys: what is accepted, what is refused, and the reasons."""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.core.sources.files import parse_source
from include.core.sources.model import ColumnContract, Source
from include.core.sources.rows import split_rows
from include.core.warehouse.dataset import HIDDEN
from tests.unit.sources.conftest import GOOD

SOURCE = parse_source(GOOD, Path("sources/orders.yaml"))
DAY = dt.date(2024, 6, 1)
ROW = {"id": 1, "orderedAt": "2024-06-01T08:30:00", "state": "new", "email": "a@b.test"}
UTC = dt.UTC


def split(*rows: object, source: Source = SOURCE, day: dt.date = DAY) -> tuple[list[dict[str, Any]], list[str]]:
    good, rejected = split_rows(source, day, [json.dumps(row) for row in rows], "file")
    assert len(good) + len(rejected) == len(rows)
    return good, [record.reason for record in rejected]


def convert(value: object, kind: str, **options: Any) -> Any:
    """Return the value in the table of a column of that type; ValueError with the reason if its row is rejected."""
    column = ColumnContract.model_validate({"type": kind, **options})
    columns = {"id": ColumnContract(type="integer"), "v": column}
    source = SOURCE.model_copy(update={"columns": columns, "day_column": None})
    good, reasons = split({"id": 1, "v": value}, source=source)
    if reasons:
        raise ValueError(*reasons)
    return good[0]["v"]


def test_a_row() -> None:
    [row], reasons = split(ROW)
    assert reasons == []
    assert row == {
        "day": DAY,
        "id": 1,
        "ordered_at": dt.datetime(2024, 6, 1, 6, 30, tzinfo=UTC),
        "state": "new",
        "email": "a@b.test",
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": 0}, "id: must be at least 1 (got 0)"),
        ({"id": 1e9}, "id: must be at most 999999 (got 1000000000.0)"),
        ({"id": "1"}, "id: must be a finite number (got '1')"),
        ({"id": 1.5}, "id: must be a whole number (got 1.5)"),
        ({"id": True}, "id: must be a finite number (got True)"),
        ({"id": float("nan")}, "id: must be a finite number (got nan)"),
        ({"id": 10**30}, "id: must fit into 64 bits (got 1000000000000000000000000000000)"),
        ({"id": None}, "id: a value is missing"),
        ({"state": "lost"}, "state: must be one of new, paid (got 'lost')"),
        ({"state": ["new"]}, "state: must be a string (got ['new'])"),
        ({"email": "nobody"}, "email: must match .+@.+"),
        ({"orderedAt": "2024-05-31T08:30:00"}, "ordered_at: must lie on 2024-06-01, the requested day"),
        ({"orderedAt": "2024-06-01"}, "ordered_at: must be an ISO 8601 time"),
        ({"orderedAt": 1717223400}, "ordered_at: must be an ISO 8601 time"),
        ({"id": 0, "state": "lost"}, "id: must be at least 1 (got 0); state: must be one of new, paid (got 'lost')"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named(change: dict[str, object], reason: str) -> None:
    good, [message] = split(ROW | change)
    assert good == []
    assert message.startswith(reason)


@pytest.mark.parametrize("row", [None, 1, "x", [], [ROW]])
def test_a_value_that_is_not_a_row_is_refused(row: object) -> None:
    assert split(row) == ([], ["must be an object of fields"])


def test_personal_and_unknown_values_are_hidden_in_quarantine(caplog: pytest.LogCaptureFixture) -> None:
    row = {"id": 0, "email": "someone", "phone": "+31", "orderedAt": ROW["orderedAt"], "state": "new"}
    with caplog.at_level(logging.WARNING):
        _, [rejected] = split_rows(SOURCE, DAY, [json.dumps(row)], "file:///x")
    assert rejected.row == {
        "file": "file:///x",
        "line": 1,
        "row": {"id": 0, "email": HIDDEN, "phone": HIDDEN, "orderedAt": ROW["orderedAt"], "state": "new"},
    }
    assert "someone" not in rejected.reason
    assert "fields not in the contract, with their number of rows: {'phone': 1}" in caplog.text


def test_null_words_become_none() -> None:
    [row], _ = split(ROW | {"email": "-"})
    assert row["email"] is None
    [row], _ = split({name: value for name, value in ROW.items() if name != "email"})
    assert row["email"] is None


def test_duplicates_and_contradictions_are_rejected() -> None:
    other = ROW | {"id": 2}
    good, reasons = split(ROW, other, ROW, other | {"state": "paid"})
    assert [row["id"] for row in good] == [1]
    contradiction = "id: the lines 2, 4 have the same key but different values"
    assert reasons == [contradiction, "id: copy of line 1, which is loaded", contradiction]


def test_a_reason_lists_a_few_lines_however_many_share_the_key() -> None:
    _, reasons = split(*(ROW | {"email": f"{number}@example.com"} for number in range(100)))
    assert set(reasons) == {"id: the lines 1, 2, 3, 4, 5 and 95 more have the same key but different values"}


def test_the_line_number_may_be_the_key() -> None:
    source = parse_source(GOOD.replace("key: [id]", "key: [line]"), Path("sources/orders.yaml"))
    good, reasons = split(ROW, ROW, {}, ROW, source=source)
    assert [row["line"] for row in good] == [1, 2, 4]
    assert len(reasons) == 1


@pytest.mark.parametrize(
    ("local", "ambiguous", "moment"),
    [
        ("2024-03-31T01:59:59", "earlier", "2024-03-31T00:59:59"),
        ("2024-03-31T03:00:00", "earlier", "2024-03-31T01:00:00"),
        ("2024-10-27T02:30:00", "earlier", "2024-10-27T00:30:00"),
        ("2024-10-27T02:30:00", "later", "2024-10-27T01:30:00"),
        ("2024-10-27 03:00:00", "reject", "2024-10-27T02:00:00"),
        ("2024-10-27T02:30:00+01:00", "reject", "2024-10-27T01:30:00"),
    ],
)
def test_local_times(local: str, ambiguous: str, moment: str) -> None:
    result = convert(local, "timestamp", ambiguous=ambiguous)
    assert result == dt.datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_nonexistent_and_ambiguous_times_are_refused() -> None:
    with pytest.raises(ValueError, match=r"this time doesn't exist in Europe/Berlin"):
        convert("2024-03-31T02:30:00", "timestamp")
    with pytest.raises(ValueError, match=r"this time occurs twice"):
        convert("2024-10-27T02:30:00", "timestamp", ambiguous="reject")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (17850.0, "integer", 17850),
        (0.85, "decimal", "0.85"),
        ("12.3456789", "decimal", "12.3456789"),
        (3, "number", 3.0),
        (False, "boolean", False),
        ("2024-02-29", "date", dt.date(2024, 2, 29)),
    ],
)
def test_values(value: object, kind: str, expected: object) -> None:
    assert convert(value, kind) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1e200000", "decimal"), ("x", "decimal"), ("NaN", "decimal"), (float("inf"), "number"),
        (0, "boolean"), ("2024-02-30", "date"), ("20240201", "date"), ("W", "date"),
    ],
)  # fmt: skip
def test_invalid_values_are_refused(value: object, kind: str) -> None:
    with pytest.raises(ValueError, match="v: must "):
        convert(value, kind)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


ROWS = st.fixed_dictionaries(
    {
        "id": JSON | st.integers(1, 3),
        "orderedAt": JSON | st.just(ROW["orderedAt"]),
        "state": JSON | st.just("new"),
    },
    optional={"email": JSON},
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS | JSON, max_size=6))
def test_every_row_is_either_good_or_rejected_with_a_reason(rows: list[object]) -> None:
    good, reasons = split(*rows)
    assert all(reasons)
    keys = [row["id"] for row in good]
    assert len(keys) == len(set(keys))
