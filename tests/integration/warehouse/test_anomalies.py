"""Series of loads on PostgreSQL, and then a bad one: nothing is written, unless it is accepted on purpose."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median, quantiles
from typing import Any

import pytest
from psycopg import sql

from include.core.warehouse.anomalies import profile as profiles
from include.core.warehouse.anomalies.profile import profile
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import Session, connect
from include.core.warehouse.dataset import Column, Dataset, Rejected
from include.core.warehouse.errors import AnomalyError
from include.core.warehouse.history_settings import History, Recurring
from include.core.warehouse.loader import LoadResult, load
from include.core.warehouse.quarantine import RejectedRows
from include.core.warehouse.schema import create_table
from include.core.warehouse.stage import copy_rows
from tests.integration.warehouse.cases import count

FIRST = date(2024, 1, 1)
LINES = Dataset(
    name="lines",
    columns=(
        Column("day", "date"),
        Column("line", "bigint"),
        Column("code", "text"),
        Column("price", "numeric"),
        Column("quantity", "integer", nullable=True),
        Column("sold_at", "timestamp with time zone"),
        Column("country", "text"),
        Column("customer", "bigint", pii=True),
    ),
    key=("day", "line"),
    partition="day",
    timezone="Europe/London",
    history=History(recurring=(Recurring("price", by=("code",)),), ignored=("line",)),
)
STOCK = Dataset(
    name="stock", columns=(Column("code", "text"), Column("pieces", "bigint")), key=("code",), minimum_rows=0
)
REASON = "prices were raised by the buyer on 2 January"


def day_of(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def rows_of(offset: int, factor: str = "1", lines: int | None = None) -> list[dict[str, object]]:
    """The lines of a day: 60 to 84, of 30 stock codes with a price each, in three countries."""
    return [
        {
            "day": day_of(offset),
            "line": line,
            "code": f"C{(line * 7 + offset) % 30}",
            "price": Decimal((line * 7 + offset) % 30 + 1) * Decimal(factor),
            "quantity": None if line % 9 == 0 else line % 5 + 1,
            "sold_at": datetime(2024, 1, 1, 9, tzinfo=UTC) + timedelta(days=offset, minutes=5 * line),
            "country": ("UK", "UK", "UK", "France", "Spain")[line % 5],
            "customer": 17_000 + (line * offset) % 50,
        }
        for line in range(60 + 3 * (offset % 9) if lines is None else lines)
    ]


def publish(session: Session, offset: int, rows: Sequence[Any] | None = None, **options: Any) -> LoadResult:
    accept = options.pop("accept", None)
    attempt = Attempt("shop", "load", f"run-{offset}", options.pop("try_number", 1), accept=accept)
    given = rows_of(offset) if rows is None else rows
    return load(session, LINES, partition=day_of(offset), rows=given, attempt=attempt, **options)


@pytest.fixture
def shop(warehouse: str) -> Iterator[Session]:
    """A warehouse with twenty days of lines."""
    with connect(warehouse) as session:
        create_table(session, LINES)
        for offset in range(20):
            publish(session, offset)
        yield session


def content(session: Session) -> list[Any]:
    tables = ("lines", "load_log", "load_profile", "load_fence", "quarantine")
    every = sql.SQL("SELECT to_jsonb(it) FROM {} AS it ORDER BY 1")
    return [session.execute(every.format(sql.Identifier(table))).fetchall() for table in tables]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (rows_of(20, "1.1"), "price: share of rows whose value the nearest partitions have for the same key is 0.0%"),
        (rows_of(20, "10"), "price: median is"),
        (rows_of(20, lines=4), "rows: number is 4; usually 70.5, from 60 to 84"),
        ([*rows_of(20), *(row | {"line": 500 + line} for line, row in enumerate(rows_of(20)))], "rows: share of rows"),
        ([row for row in rows_of(20) if row["country"] != "UK"], "country: share of rows with 'UK' is 0.0%; usually"),
        ([row for row in rows_of(20) if row["country"] != "Spain"], "country: share of rows with 'Spain' is 0.0%"),
        ([row | {"quantity": None} for row in rows_of(20)], "quantity: share of NULL is 100.0%; usually 11."),
        ([row | {"code": row["country"], "country": row["code"]} for row in rows_of(20)], "country: distinct values"),
        ([row | {"sold_at": row["sold_at"] + timedelta(hours=5)} for row in rows_of(20)], "sold_at: median hour is"),  # type: ignore[operator]
        ([row | {"price": Decimal(3)} for row in rows_of(20)], "price: distinct values is 1; usually 30"),
    ],
)  # fmt: skip
def test_a_bad_load_after_a_series_writes_nothing(shop: Session, rows: list[dict[str, object]], found: str) -> None:
    before = content(shop)
    with pytest.raises(AnomalyError) as refused:
        publish(shop, 20, rows)
    message = str(refused.value)
    assert message.startswith(
        "lines, partition 2024-01-21: refused, the rows loaded before are unchanged. Out of bounds, compared with 20"
        " comparable load(s), 2024-01-01 to 2024-01-20:\n  - "
    )
    assert found in message, message
    assert "times the accepted deviation" in message
    assert "with the param accept: the reason, 10 to 500 characters (docs/history.md)" in message
    assert content(shop) == before


def test_an_empty_load_is_refused_although_the_dataset_allows_it(warehouse: str) -> None:
    allowed = replace(LINES, minimum_rows=0)
    with connect(warehouse) as session:
        create_table(session, allowed)
        for offset in range(8):
            publish(session, offset)
        with pytest.raises(AnomalyError, match=r"rows: number is 0; usually 70\.5, from 60 to 81"):
            load(session, allowed, partition=day_of(8), rows=[], attempt=Attempt("shop", "load", "run-8", 1))


def test_a_load_is_accepted_for_a_reason_and_logged(shop: Session, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        result = publish(shop, 20, rows_of(20, "1.1"), accept=REASON)
    assert (result.complete, result.loaded) == (True, 66)
    assert f"lines, partition 2024-01-21: out of bounds, accepted: {REASON}" in caplog.text
    stored = shop.execute(
        "SELECT accepted, anomalies FROM load_profile WHERE load_id = %s", [result.load_id]
    ).fetchone()
    assert stored is not None
    assert stored[0] == REASON
    assert "price: share of rows whose value" in str(stored[1])


def test_a_reason_without_an_anomaly_is_not_logged(shop: Session) -> None:
    result = publish(shop, 20, accept=REASON)
    stored = shop.execute(
        "SELECT accepted, anomalies FROM load_profile WHERE load_id = %s", [result.load_id]
    ).fetchone()
    assert stored == (None, [])


def test_without_enough_history_there_is_no_verdict(warehouse: str, caplog: pytest.LogCaptureFixture) -> None:
    with connect(warehouse) as session, caplog.at_level(logging.INFO):
        create_table(session, LINES)
        for offset in range(7):
            publish(session, offset)
        publish(session, 7, rows_of(7, "10"))
    assert "lines, partition 2024-01-08: no verdict on anomalies: 7 comparable load(s)" in caplog.text


def test_a_correction_is_not_compared_with_the_wrong_load_of_the_same_day(shop: Session) -> None:
    publish(shop, 10, rows_of(10, "10"), accept=REASON, try_number=2)
    publish(shop, 10, try_number=3)
    with pytest.raises(AnomalyError, match="compared with 19 comparable"):
        publish(shop, 10, rows_of(10, "10"), try_number=4)


def test_a_backfill_is_compared_with_the_days_around_it(warehouse: str) -> None:
    with connect(warehouse) as session:
        create_table(session, LINES)
        for offset in range(20):
            publish(session, offset, rows_of(offset, "100"))
        for offset in range(200, 220):
            publish(session, offset, rows_of(offset, "1"))
        publish(session, 21, rows_of(21, "100"))
        with pytest.raises(AnomalyError, match="2024-01-01 to 2024-01-22"):
            publish(session, 22, rows_of(22, "1"))


def test_sample_data_is_compared_with_sample_data_only(shop: Session, caplog: pytest.LogCaptureFixture) -> None:
    sample = date(2010, 12, 1)
    with caplog.at_level(logging.INFO):
        for offset in range(20, 28):
            publish(shop, offset, rows_of(offset, "10"), replayed_from=sample)
    assert (
        "no verdict on anomalies: 7 comparable load(s) of sample data (recorded days that are replayed)" in caplog.text
    )
    with pytest.raises(
        AnomalyError, match=r"8 comparable load\(s\) of sample data \(recorded days that are replayed\)"
    ):
        publish(shop, 28, replayed_from=sample)
    publish(shop, 28)


def test_an_incomplete_load_does_not_belong_to_the_history(shop: Session) -> None:
    bad = [Rejected({"line": 0}, "broken")]
    assert not publish(shop, 20, rows_of(20)[1:], rejected=bad).complete
    with pytest.raises(AnomalyError, match="compared with 20 comparable"):
        publish(shop, 21, rows_of(21, "10"))
    with pytest.raises(AnomalyError, match="price: share of rows whose value"):
        publish(shop, 21, rows_of(21, "10")[1:], rejected=bad)


def test_a_whole_table_is_compared_with_that_of_other_runs(warehouse: str) -> None:
    def replace_table(run: int, codes: int, try_number: int = 1) -> None:
        rows = [{"code": f"C{code}", "pieces": code + 1} for code in range(codes)]
        load(session, STOCK, partition=None, rows=rows, attempt=Attempt("shop", "stock", f"run-{run}", try_number))

    with connect(warehouse) as session:
        create_table(session, STOCK)
        for run in range(8):
            replace_table(run, 100 + run)
        with pytest.raises(AnomalyError, match=r"stock, partition all: .* compared with 8 comparable"):
            replace_table(8, 2)
        with pytest.raises(AnomalyError, match="rows: number is 0"):
            replace_table(8, 0, 2)
        replace_table(7, 3, 2)  # the seven other runs are too few


def test_a_dataset_may_not_be_compared(warehouse: str, caplog: pytest.LogCaptureFixture) -> None:
    free = replace(LINES, history=History(off="each file is another shop's"))
    with connect(warehouse) as session, caplog.at_level(logging.INFO):
        create_table(session, free)
        for offset in range(9):
            rows = rows_of(offset, "1" if offset < 8 else "100")
            load(session, free, partition=day_of(offset), rows=rows, attempt=Attempt("shop", "load", f"{offset}", 1))
        assert count(session, "load_profile") == 0
    assert "lines, partition 2024-01-09: not compared with its history: each file is another shop's" in caplog.text


def test_the_profile_has_the_statistics_of_the_rows(shop: Session) -> None:
    rows = rows_of(20)
    with RejectedRows() as rejected, shop.transaction():
        copy_rows(shop, LINES, "2024-01-21", rows, rejected)
        found = profile(shop, LINES, "2024-01-21", ["2024-01-20", "2024-01-19"])
    prices = sorted(float(str(row["price"])) for row in rows)
    quarters = quantiles(prices, n=4, method="inclusive")
    expected = {
        "minimum": prices[0], "p25": quarters[0], "median": quarters[1], "p75": quarters[2], "maximum": prices[-1],
        "sum": sum(prices), "distinct": len(set(prices)), "known": 1.0, "unchanged": 1.0, "change": 0.0,
        "large change": 0.0,
    }  # fmt: skip
    assert {name: found.statistics["price"][name] for name in expected} == pytest.approx(expected)
    hours = [9 + 5 * line / 60 for line in range(len(rows))]
    assert found.statistics["sold_at"]["median hour"] == pytest.approx(median(hours))
    assert found.statistics["sold_at"]["maximum hour"] == pytest.approx(max(hours))
    assert found.statistics["quantity"]["null"] == pytest.approx(8 / 66)
    assert found.statistics["customer"].keys() == {"distinct"}  # personal data is only counted
    assert "line" not in found.statistics
    assert found.statistics[""] == {"repeated": 0.0}
    assert found.shares.keys() == {"code", "country"}
    assert found.shares["country"] == pytest.approx({"UK": 40 / 66, "France": 13 / 66, "Spain": 13 / 66})
    assert sum(found.shares["code"].values()) == pytest.approx(1)
    assert (found.rows, found.day) == (66, date(2024, 1, 21))


def test_new_keys_and_changes_are_counted(warehouse: str) -> None:
    prices = replace(
        LINES, name="prices", key=("day", "code"), columns=(LINES.columns[0], LINES.columns[2], LINES.columns[3]),
        timezone="UTC", history=History(recurring=(Recurring("price", by=("code",)),)),
    )  # fmt: skip

    def rows(offset: int, found: dict[str, str]) -> list[dict[str, object]]:
        return [{"day": day_of(offset), "code": code, "price": price} for code, price in found.items()]

    with connect(warehouse) as session:
        create_table(session, prices)
        days = [{"A": "1", "B": "5", "C": "7"}, {"A": "2", "B": "5"}]
        for offset, day in enumerate(days):
            load(session, prices, partition=day_of(offset), rows=rows(offset, day), attempt=Attempt("a", "b", "c", 1))
        with RejectedRows() as rejected, session.transaction():
            copy_rows(session, prices, "2024-01-03", rows(2, {"A": "1", "B": "6", "C": "7", "D": "9"}), rejected)
            found = profile(session, prices, "2024-01-03", ["2024-01-02", "2024-01-01"]).statistics
    assert found[""] == {"repeated": 0.0, "new": 0.25}
    assert {name: found["price"][name] for name in ("known", "unchanged", "change", "large change")} == pytest.approx(
        {"known": 2 / 3, "unchanged": 1 / 3, "change": 0.0, "large change": 1.0}
    )


def test_a_large_stage_is_sampled_the_same_way_each_time(shop: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "SAMPLE", 2000)
    with RejectedRows() as rejected, shop.transaction():
        copy_rows(shop, LINES, "2024-01-21", rows_of(20, lines=20_000), rejected)
        found = [profile(shop, LINES, "2024-01-21", ["2024-01-20"]) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].rows == 20_000
    assert found[0].statistics["price"]["sum"] == pytest.approx(20_000 * 15.5, rel=0.05)
    assert found[0].statistics["customer"]["distinct"] <= 50


def test_numbers_beyond_double_precision_are_compared_too(warehouse: str) -> None:
    with connect(warehouse) as session:
        create_table(session, LINES)
        for offset, price in enumerate((Decimal(10) ** 400, Decimal(10) ** -400, Decimal(-10) ** 401)):
            publish(session, offset, [row | {"price": price} for row in rows_of(offset)])
        found = session.execute(
            "SELECT profile -> 'statistics' -> 'price' -> 'median', profile -> 'statistics' -> 'price' -> 'change'"
            " FROM load_profile ORDER BY load_id"
        ).fetchall()
    assert found == [(10**100, None), (0, -(10**100)), (-(10**100), -(10**100))]
