"""A source that reads a file for each day: from the folder to the table, in each format."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import traceback
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import ObjectStoragePath
from upath import UPath

from include.core.errors import ConfigurationError
from include.core.sources import pipeline
from include.core.sources.day_files import NoFileError, SeveralFilesError
from include.core.sources.errors import PublishGateError
from include.core.sources.files import parse_source
from include.core.warehouse.attempt import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

DAY = dt.date(2024, 6, 1)
ATTEMPT = Attempt("process_orders_data", "load", "run", 1)
YAML = """
name: orders
description: Orders of a shop, one row each.
owner: me
schedule: "0 6 * * *"
start_date: 2024-01-01
files: {folder: "in/{day}", name: "orders*"}
key: [id]
max_bad_share: 0.3
columns:
  id: {type: integer, from: ID}
  amount: {type: decimal}
  phone: {type: text, nullable: true, pii: true}
"""
CSV = b"ID,amount,phone\n1,1.50,555\n9007199254740993,12345678901234567890.10,\n2,x,777\n3,1,\n"


def parquet() -> bytes:
    rows = [
        {"ID": 1, "amount": "1.50", "phone": "555"},
        {"ID": 2**53 + 1, "amount": "12345678901234567890.10", "phone": None},
        {"ID": 2, "amount": "x", "phone": "777"},
        {"ID": 3, "amount": "1", "phone": None},
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


LINES = b"".join(
    b'{"ID": %d, "amount": %s, "phone": %s}\n' % row
    for row in (
        (1, b"1.50", b'"555"'),
        (2**53 + 1, b"12345678901234567890.10", b"null"),
        (2, b'"x"', b'"777"'),
        (3, b"1", b"null"),
    )
)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("orders.csv", CSV, 4),
        ("orders.csv.gz", gzip.compress(CSV), 4),
        ("orders.jsonl", LINES, 3),
        ("orders", parquet(), 3),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,  # a compressed file has the time in it
)
def test_a_days_file_becomes_rows_and_quarantine(
    warehouse: str, tmp_path: Path, name: str, content: bytes, line: int
) -> None:
    source = parse_source(YAML, tmp_path / "orders.yaml")
    root = UPath(tmp_path / "storage")
    with pytest.raises(NoFileError):
        pipeline.extract_files(source, root, [DAY], "run", UPath)
    folder = tmp_path / "storage" / "inbox" / "in" / "2024-06-01"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    raw = [UPath(url) for url in pipeline.extract_files(source, root, [DAY], "run", UPath)]
    assert raw[0].read_bytes() == content
    pipeline.process(source, raw)
    pipeline.check(source, raw)
    [result] = pipeline.load(source, raw, warehouse, ATTEMPT)
    assert (result.rows_in, result.loaded, result.quarantined) == (4, 3, 1)
    with psycopg.connect(warehouse) as session:
        rows = session.execute("SELECT id, amount::text, phone FROM orders_data ORDER BY id").fetchall()
        bad = session.execute("SELECT source_row, reason FROM quarantine").fetchall()
    assert rows == [(1, "1.50", "555"), (3, "1", None), (2**53 + 1, "12345678901234567890.10", None)]
    [(row, reason)] = bad
    assert (row["file"], row["line"]) == (str(raw[0]), line)
    assert "777" not in str(bad)
    assert "amount: must be a decimal number" in reason


def test_too_many_invalid_rows_are_refused(tmp_path: Path) -> None:
    source = parse_source(YAML.replace("0.3", "0.2"), tmp_path / "orders.yaml")
    folder = tmp_path / "storage" / "inbox" / "in" / "2024-06-01"
    folder.mkdir(parents=True)
    (folder / "orders.csv").write_bytes(CSV)
    raw = [UPath(url) for url in pipeline.extract_files(source, UPath(tmp_path / "storage"), [DAY], "run", UPath)]
    pipeline.process(source, raw)
    with pytest.raises(PublishGateError, match=r"1 of 4 rows are invalid \(25.0%\); allowed: 20.0%"):
        pipeline.check(source, raw)


def test_nothing_is_read_through_a_link_that_leads_elsewhere(tmp_path: Path) -> None:
    source = parse_source(YAML.replace('"orders*"', "orders.csv"), tmp_path / "orders.yaml")
    folder = tmp_path / "storage" / "inbox" / "in" / "2024-06-01"
    folder.mkdir(parents=True)
    (tmp_path / "private.csv").write_text("not for runs")
    (folder / "orders.csv").symlink_to(tmp_path / "private.csv")
    with pytest.raises(ConfigurationError, match=r"source orders: files\.folder: .*orders\.csv isn't in an allowed"):
        pipeline.extract_files(source, UPath(tmp_path / "storage"), [DAY], "run", UPath)
    (folder / "orders.csv").unlink()
    (folder / "orders.csv").write_bytes(CSV)
    (folder / "orders.csv.replayed").symlink_to(tmp_path / "private.csv")
    with pytest.raises(ValueError, match=r"orders\.csv\.replayed doesn't contain a date") as caught:
        pipeline.extract_files(source, UPath(tmp_path / "storage"), [DAY], "run", UPath)
    assert "not for runs" not in "".join(traceback.format_exception(caught.value))
    assert not list((tmp_path / "storage").rglob("run.raw*replayed"))


def test_a_days_file_in_a_bucket(
    bucket: Callable[[str], Any], warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = "s3://aws_default@shop/in"
    source = parse_source(YAML.replace('"in/{day}"', f'"{folder}/{{day}}"'), tmp_path / "orders.yaml")
    root = UPath(tmp_path / "storage")

    def extract() -> list[UPath]:
        return [UPath(url) for url in pipeline.extract_files(source, root, [DAY], "run", ObjectStoragePath)]

    with pytest.raises(ConfigurationError, match=rf"files\.folder: {folder}/2024-06-01 isn't in an allowed folder: "):
        extract()
    monkeypatch.setenv("SPELLBOOK_SOURCE_FOLDERS", folder)
    missing = rf"source orders, 2024-06-01: no file orders\* in {folder}/2024-06-01; the task is retried"
    with pytest.raises(NoFileError, match=missing):  # there is no such bucket yet
        extract()
    shop = bucket("shop")
    for name in ("in/2024-06-01/order.csv", "in/2024-06-02/orders.csv", "in/2024-06-01.orders.csv"):
        shop.put_object(Bucket="shop", Key=name, Body=CSV)
    with pytest.raises(NoFileError, match=missing):
        extract()
    shop.put_object(Bucket="shop", Key="in/2024-06-01/orders.csv", Body=CSV)
    raw = extract()
    assert [file.read_bytes() for file in raw] == [CSV]
    pipeline.process(source, raw)
    pipeline.check(source, raw)
    [result] = pipeline.load(source, raw, warehouse, ATTEMPT)
    assert (result.rows_in, result.loaded, result.quarantined) == (4, 3, 1)
    shop.put_object(Bucket="shop", Key="in/2024-06-01/orders-2.csv", Body=CSV)
    with pytest.raises(SeveralFilesError, match=r"2 files match orders\* in .* \(orders-2\.csv, orders\.csv\); one is"):
        extract()
