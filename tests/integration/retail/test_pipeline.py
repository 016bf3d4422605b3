"""The recorded days in the warehouse, compared with the same sums computed by pandas."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from upath import UPath

from devstack.upstreams.apis.tills import file_of
from devstack.upstreams.records import DATA
from include.core.replay import read_replayed_day, write_replayed_day
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.errors import IncompleteLoadError, LoadError
from include.domains.retail import pipeline
from include.domains.retail.files import find, land
from include.domains.retail.report import SUMMARY

RECORDED = DATA / "retail"
ATTEMPT = Attempt("retail_monolith", "validate", "manual__1", 1)
DAY = "2010-12-20"
ROWS = {"2010-12-01": 3108, "2010-12-19": 522, "2010-12-20": 1763, "2010-12-21": 1586, "2010-12-22": 291}


def expected(day: str) -> dict[str, tuple[int, int, int, Decimal]]:
    """Lines, repeated lines, cancellations and pence by country, computed from the file."""
    rows = pd.read_csv(RECORDED / f"online_retail_{day}.csv", dtype=str)
    unique = rows.drop_duplicates()
    pence = unique["Quantity"].astype(int) * unique["UnitPrice"].map(Decimal)
    cancelled = unique[unique["InvoiceNo"].str.startswith("C")].groupby("Country")["InvoiceNo"].nunique()
    return {
        str(country): (
            len(group),
            int((rows["Country"] == country).sum()) - len(group),
            int(cancelled.get(country, 0)),
            sum(pence[group.index], Decimal()),
        )
        for country, group in unique.groupby("Country")
    }


def test_every_row_is_loaded_and_the_sums_equal_pandas(warehouse: str) -> None:
    for file in find([UPath(RECORDED)], None):
        result = pipeline.validate(UPath(file["source"]), warehouse, file["partition"], ATTEMPT)
        assert (result.loaded, result.quarantined) == (ROWS[file["partition"]], 0)
    days = pipeline.days_in(warehouse, None)
    assert days == list(ROWS)
    for day in days:
        pipeline.transform(warehouse, day, ATTEMPT)
    with psycopg.connect(warehouse) as connection:
        for day in days:
            rows = connection.execute(
                "SELECT country, lines, repeated, cancelled, revenue FROM retail_sales WHERE day = %s", [day]
            ).fetchall()
            assert {country: tuple(sums) for country, *sums in rows} == expected(day)
        summary = connection.execute(SUMMARY, {"days": days}).fetchall()
    assert [row[0] for row in summary] == [*days, "all"]
    assert Decimal(summary[-1][2]) == sum(Decimal(row[2]) for row in summary[:-1])
    abroad = {name: sums[3] for name, sums in expected(DAY).items() if name != "United Kingdom"}
    assert [row[3] for row in summary if row[0] in {DAY, "all"}] == [max(abroad, key=lambda name: abroad[name]), ""]


def test_days_that_a_report_lacks_are_named(warehouse: str) -> None:
    days = ["2010-12-19", "2010-12-22"]
    files = [file for file in find([UPath(RECORDED)], days) if file["partition"] != "2010-12-20"]
    for file in files:
        pipeline.validate(UPath(file["source"]), warehouse, file["partition"], ATTEMPT)
        pipeline.transform(warehouse, file["partition"], ATTEMPT)
    lacking = "retail_sales: 2 not loaded (2010-12-20 to 2010-12-21)"
    assert pipeline.missing_sales(warehouse, days) == lacking
    assert pipeline.missing_sales(warehouse, days[:1]) == ""
    assert "2010-12-18" not in pipeline.missing_sales(warehouse, ["2010-12-17", "2010-12-19"]), "a Saturday"


def test_totals_of_an_incomplete_day_are_marked(warehouse: str) -> None:
    [file] = find([UPath(RECORDED)], [DAY])
    pipeline.validate(UPath(file["source"]), warehouse, DAY, ATTEMPT)
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE load_log SET complete = false")
    with pytest.raises(IncompleteLoadError, match=f"{DAY}: incomplete, missing: retail_lines: 1 incomplete"):
        pipeline.transform(warehouse, DAY, ATTEMPT)
    assert pipeline.missing_sales(warehouse, [DAY]) == f"retail_sales: 1 incomplete ({DAY})"


def test_a_marked_file_is_labelled_in_every_table_and_in_the_report(warehouse: str, tmp_path: Path) -> None:
    day, recorded = "2026-06-02", dt.date(2010, 12, 22)
    file = UPath(tmp_path / f"online_retail_{day}.csv")
    file.write_bytes(file_of(dt.date.fromisoformat(day), recorded))
    write_replayed_day(file, recorded)
    landed = UPath(land(file, UPath(tmp_path / "landed")))
    assert [found_file["partition"] for found_file in find([landed.parent], None)] == [day]
    assert pipeline.validate(landed, warehouse, day, ATTEMPT).loaded == ROWS[str(recorded)]
    pipeline.transform(warehouse, day, ATTEMPT)
    with psycopg.connect(warehouse) as connection:
        log = connection.execute("SELECT dataset, partition_key, replayed_from FROM load_log ORDER BY load_id")
        assert log.fetchall() == [("retail_lines", day, recorded), ("retail_sales", day, recorded)]
        assert connection.execute("SELECT DISTINCT invoiced_at::date::text FROM retail_lines").fetchall() == [(day,)]
        periods = [row[0] for row in connection.execute(SUMMARY, {"days": [day]})]
    assert periods == [f"{day}, replay of {recorded}", "all"]
    write_replayed_day(file, None)
    land(file, UPath(tmp_path / "landed"))
    assert read_replayed_day(landed) is None


def test_bad_rows_are_quarantined_and_too_many_refuse_the_file(warehouse: str, tmp_path: Path) -> None:
    lines = (RECORDED / f"online_retail_{DAY}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    cells = lines[2].split(",")
    cells[3] = "many"
    (tmp_path / "few.csv").write_text("".join([*lines[:2], ",".join(cells), *lines[3:]]), encoding="utf-8")
    with pytest.raises(IncompleteLoadError, match="incomplete, missing: invoice_no C539486"):
        pipeline.validate(UPath(tmp_path / "few.csv"), warehouse, DAY, ATTEMPT)
    with psycopg.connect(warehouse) as connection:
        [*_, (line, reason)] = connection.execute(
            "SELECT source_row -> 'line', reason FROM quarantine ORDER BY reason"
        ).fetchall()
        assert (line, reason) == (3, "quantity: must be a finite number (got 'many')")
        numbers = connection.execute("SELECT min(line), max(line), count(*) FROM retail_lines").fetchall()
    assert numbers == [(6, len(lines), ROWS[DAY] - 4)]
    (tmp_path / "many.csv").write_text("".join([lines[0], *[",".join(cells)] * 30, *lines[31:]]), encoding="utf-8")
    with pytest.raises(LoadError, match=r"30 of 1763 rows are invalid"):
        pipeline.validate(UPath(tmp_path / "many.csv"), warehouse, DAY, ATTEMPT)


def test_a_day_that_was_not_loaded_is_named(warehouse: str) -> None:
    with pytest.raises(pipeline.NoLinesError, match="any day: run retail_validate first"):
        pipeline.days_in(warehouse, None)
    with pytest.raises(pipeline.NoLinesError, match="2010-12-24"):
        pipeline.days_in(warehouse, ["2010-12-24"])
