"""Files that need a correction, or record one: another day's rows, bad debt, summer time."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from upath import UPath

from include.core.warehouse.attempt import Attempt
from include.core.warehouse.errors import IncompleteLoadError, LoadError, SupersededError
from include.domains.retail import pipeline

ATTEMPT = Attempt("retail_monolith", "validate", "manual__1", 1)
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
SOLD = "562{number},22600,STAR WOOD,1,2011-08-12 08:20:00,0.85,18256.0,United Kingdom"
BAD_DEBT = [
    "A563985,B,Bad debt correction,1,2011-08-12 14:50:00,11062.06,,United Kingdom",
    "A563986,B,Bad debt correction,1,2011-08-12 14:51:00,-11062.06,,United Kingdom",
    "A563987,B,Bad debt correction,1,2011-08-12 14:52:00,-11062.06,,United Kingdom",
]


def written(folder: Path, day: str, *lines: str) -> UPath:
    file = folder / f"online_retail_{day}.csv"
    file.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    return UPath(file)


def test_another_days_rows_are_refused(warehouse: str, tmp_path: Path) -> None:
    lines = [f"53948{n},22600,STAR WOOD,1,2010-12-20 08:2{n}:00,0.85,18256.0,United Kingdom" for n in range(3)]
    with pytest.raises(LoadError, match=r"3 of 3 rows are invalid") as caught:
        pipeline.validate(written(tmp_path, "2010-12-27", *lines), warehouse, "2010-12-27", ATTEMPT)
    message = str(caught.value)
    assert "line 2: invoiced_at: must lie on 2010-12-27, the requested day, not on 2010-12-20" in message
    assert "18256" not in message, "the customer's number is personal data"
    with psycopg.connect(warehouse) as session:
        assert session.execute("SELECT count(*) FROM retail_lines").fetchone() == (0,)


def test_a_file_that_is_older_than_the_loaded_one_is_superseded(warehouse: str, tmp_path: Path) -> None:
    day = "2011-08-12"
    for folder, time, number in (("new", 2000, "2"), ("old", 1000, "1")):
        (tmp_path / folder).mkdir()
        file = written(tmp_path / folder, day, SOLD.format(number=f"00{number}"))
        os.utime(file.path, (time, time))
    pipeline.validate(UPath(tmp_path / "new" / file.name), warehouse, day, ATTEMPT)
    with pytest.raises(
        SupersededError, match=r"requested at 1970-01-01 00:16:40 UTC, but .* of 1970-01-01 00:33:20 UTC"
    ):
        pipeline.validate(UPath(tmp_path / "old" / file.name), warehouse, day, ATTEMPT)
    with psycopg.connect(warehouse) as session:
        assert session.execute("SELECT invoice_no FROM retail_lines").fetchall() == [("562002",)]


def test_the_day_is_the_one_of_the_shop(warehouse: str, tmp_path: Path) -> None:
    late = SOLD.format(number="001").replace("08:20:00", "00:20:00")
    file = written(tmp_path, "2011-08-12", late)
    assert pipeline.validate(file, warehouse, "2011-08-12", ATTEMPT).loaded == 1
    with psycopg.connect(warehouse) as session:
        times = session.execute("SELECT (invoiced_at AT TIME ZONE 'UTC')::text FROM retail_lines").fetchall()
    assert times == [("2011-08-11 23:20:00",)], "summer time is an hour ahead of UTC"


def test_adjustments_of_bad_debt_may_be_negative(warehouse: str, tmp_path: Path) -> None:
    day = "2011-08-12"
    result = pipeline.validate(written(tmp_path, day, *BAD_DEBT), warehouse, day, ATTEMPT)
    assert (result.loaded, result.quarantined) == (3, 0)
    pipeline.transform(warehouse, day, ATTEMPT)
    with psycopg.connect(warehouse) as session:
        revenue = session.execute("SELECT revenue FROM retail_sales").fetchall()
    assert revenue == [(Decimal("-11062.06"),)]


def test_half_an_invoice_is_not_loaded(warehouse: str, tmp_path: Path) -> None:
    day, invoice = "2011-08-12", SOLD.format(number="001")
    whole = [invoice, invoice.replace("22600", "22601"), *(SOLD.format(number=f"{n:03}") for n in range(100, 300))]
    half = [invoice, invoice.replace("22600", "22601").replace("0.85", "free"), *whole[2:]]
    pipeline.validate(written(tmp_path, day, *whole), warehouse, day, ATTEMPT)
    with pytest.raises(IncompleteLoadError, match=r"missing: invoice_no 562001\. 200 of 202 row"):
        pipeline.validate(written(tmp_path, day, *half), warehouse, day, replace(ATTEMPT, try_number=2))
    with psycopg.connect(warehouse) as session:
        assert session.execute("SELECT count(*) FROM retail_lines WHERE invoice_no = '562001'").fetchone() == (0,)
        assert session.execute("SELECT complete, missing FROM load_log ORDER BY load_id").fetchall() == [
            (True, []),
            (False, ["invoice_no 562001"]),
        ]
        rows = session.execute("SELECT reason, source_row FROM quarantine ORDER BY reason").fetchall()
    assert [reason for reason, _ in rows] == [
        "invoice_no: another row of 562001 was rejected, and they belong together",
        "unit_price: must be a decimal number, such as 1234.5 (got 'free')",
    ]
    assert (rows[0][1]["stock_code"], rows[0][1]["customer_id"]) == ("22600", "(personal data)")


def test_other_prices_may_not_be_negative(warehouse: str, tmp_path: Path) -> None:
    wrong = SOLD.format(number="999").replace("0.85", "-0.85")
    right = [SOLD.format(number=f"{number:03}") for number in range(100)]
    with pytest.raises(IncompleteLoadError, match="incomplete, missing: invoice_no 562999"):
        pipeline.validate(written(tmp_path, "2011-08-12", wrong, *right), warehouse, "2011-08-12", ATTEMPT)
    with psycopg.connect(warehouse) as session:
        [(row, reason)] = session.execute("SELECT source_row, reason FROM quarantine").fetchall()
    assert (row["line"], row["CustomerID"]) == (2, "(personal data)")
    assert reason == "unit_price: must be at least 0 unless invoice_no starts with A (got -0.85)"
    with pytest.raises(LoadError, match="unit_price: must be at least 0 unless invoice_no starts with A"):
        pipeline.validate(written(tmp_path, "2011-08-12", wrong, *right[:9]), warehouse, "2011-08-12", ATTEMPT)
