"""CSV files of every kind in a real PostgreSQL: what is loaded, what is refused and why, and memory use."""

from __future__ import annotations

import functools
import gzip
import http.server
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk import Context

from devstack.state import REPOSITORY
from include.core.csv_files.dialect import CsvError
from include.core.csv_files.load import load_csv
from include.core.errors import ForbiddenAddressError, PermanentUpstreamError
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.errors import LoadError
from spellbook.operators.csv_to_postgres import CsvToPostgresOperator

ORDERS = Dataset(
    name="orders",
    columns=(
        Column("id", "bigint", minimum=1),
        Column("name", "text", nullable=True),
        Column("price", "numeric", nullable=True, minimum=0),
        Column("at", "timestamp with time zone", nullable=True),
    ),
    key=("id",),
)
LINES = ["id,name,price,at", "1,one,1.50,2024-06-01T08:00:00+02:00", '2,"two, or\n2",,', "3,,0,2024-06-01"]

Load = Callable[..., Any]


@pytest.fixture
def load(warehouse: str) -> Load:
    def steps(content: str | bytes, **options: Any) -> Any:
        file = io.BytesIO(content.encode() if isinstance(content, str) else content)
        result = load_csv(file, ORDERS, warehouse, Attempt("dag", "load", "run", 1), **options)
        with psycopg.connect(warehouse) as session:
            rows = session.execute("SELECT id, name, price::text, at FROM orders ORDER BY id").fetchall()
            bad = session.execute("SELECT source_row->'line', reason FROM quarantine ORDER BY 1").fetchall()
        return SimpleNamespace(result=result, rows=rows, bad=bad)

    return steps


def joined(end: str = "\n", delimiter: str = ",") -> str:
    text = end.join(line.replace("\n", end) for line in LINES) + end
    return text if delimiter == "," else text.replace("two, or", "two or").replace(",", delimiter)


@pytest.mark.parametrize(
    "content",
    [
        joined().encode(),
        joined("\r\n").encode(),
        joined().rstrip().encode(),
        joined().encode("utf-8-sig"),
        gzip.compress(joined().encode()),
        joined(delimiter=";").encode(),
        joined(delimiter="\t").encode(),
        joined(delimiter="|").encode(),
    ],
    ids=["lf", "crlf", "no end", "bom", "gzip", "semicolon", "tab", "pipe"],
)
def test_every_csv_dialect_is_read(load: Load, content: bytes) -> None:
    outcome = load(content)
    assert [row[0] for row in outcome.rows] == [1, 2, 3]
    assert outcome.rows[0][2:] == ("1.50", datetime(2024, 6, 1, 6, tzinfo=UTC))
    assert outcome.rows[1][1].splitlines()[1] == "2"
    assert outcome.rows[2][1] is None
    assert outcome.result.complete


def test_each_bad_row_has_its_line_and_reason(load: Load) -> None:
    text = joined() + 'x,four,1,\n4,"a\nb",-1,\n5,five\n6,six,NaN,\n7,seven,1,yesterday\n8,a\0b,1,\n9,nine,1,\n,ten,,\n'
    outcome = load(text, max_bad_share=0.9)
    assert outcome.bad == [
        (6, "id: must be a finite number (got 'x')"),
        (7, "price: must be at least 0 (got -1)"),
        (9, "has 2 fields, the header 4"),
        (10, "price: must be a decimal number, such as 1234.5 (got 'NaN')"),
        (
            11,
            "at: must be an ISO 8601 time, such as 2024-06-01T08:30:00 or with +02:00 (got 'yesterday')",
        ),
        (
            12,
            "name: the text contains a NUL character or a lone surrogate, which PostgreSQL can't store (got 'a\\x00b')",
        ),
        (14, "id: a value is missing"),
    ]
    assert [row[0] for row in outcome.rows] == [1, 2, 3, 9]
    assert outcome.result.rows_in == 11


def test_too_many_bad_rows_load_nothing(load: Load, warehouse: str) -> None:
    load(joined())
    with pytest.raises(
        LoadError,
        match=r"1 of 4 rows are invalid \(25.0%\); allowed: 20.0%.*\n  - line 6: id: must be a finite number",
    ):
        load(joined() + "x,,,\n", max_bad_share=0.2)
    with psycopg.connect(warehouse) as session:
        assert session.execute("SELECT count(*) FROM orders").fetchone() == (3,)


def test_columns_may_be_renamed_and_others_ignored(load: Load) -> None:
    text = "Nr;extra;Bezeichnung;price;at\n7;x;sieben;1;\n"
    outcome = load(text, rename={"id": "Nr", "name": "Bezeichnung"})
    assert [row[:2] for row in outcome.rows] == [(7, "sieben")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"no table\nat all\n", "none of the delimiters .* splits the header"),
        (b"id,name,price\n1,2,3\n", "the header has 0 columns 'at'; it must have one. Columns: id, name, price"),
        (b"id,id,name,price,at\n", "the header has 2 columns 'id'"),
        (b"id,name,price,at\n1,\xff\xfe,,\n", "can't be read as utf-8"),
        (gzip.compress(joined().encode())[:-12], "can't be read"),
        (b'id,name,price,at\n1,"never closed,,\n', "line 2: the file can't be read further: unexpected end of data"),
    ],
    ids=["empty", "blank", "prose", "no column", "twice", "encoding", "cut gzip", "open quote"],
)
def test_a_file_that_is_not_a_table_is_refused_with_the_reason(load: Load, content: bytes, message: str) -> None:
    with pytest.raises(CsvError, match=message):
        load(content)


def context() -> Context:
    ti: Any = SimpleNamespace(dag_id="dag", task_id="load", run_id="run", try_number=1, map_index=-1)
    dag_run: Any = SimpleNamespace(start_date=datetime(2024, 1, 1, tzinfo=UTC))
    return {"ti": ti, "dag_run": dag_run}


@pytest.fixture
def operator(warehouse: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, int]]:
    """Run the operator on a source."""
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", warehouse.replace("postgresql://", "postgres://"))

    def execute(source: str, **options: Any) -> dict[str, int]:
        loading = CsvToPostgresOperator(task_id="load", source=source, dataset=ORDERS, **options)
        return loading.execute(context())

    return execute


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_from_disk_and_http(
    operator: Callable[..., dict[str, int]], server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders.csv.gz").write_bytes(gzip.compress(joined().encode()))
    counts = {"rows_in": 3, "loaded": 3, "quarantined": 0}
    for source in (str(tmp_path / "orders.csv.gz"), url_of(tmp_path / "orders.csv.gz"), f"{server}/orders.csv.gz"):
        assert counts.items() <= operator(source).items()
    with pytest.raises(PermanentUpstreamError, match="answered 404"):
        operator(f"{server}/nothing.csv")
    with pytest.raises(PermanentUpstreamError, match="larger than 10 bytes"):
        operator(f"{server}/orders.csv.gz", largest_file=10)
    monkeypatch.setenv("SPELLBOOK_PRIVATE_NETWORKS", "10.0.0.0/8")
    for url in (f"{server}/orders.csv.gz", f"{server.replace('http', 'HTTP')}/orders.csv.gz"):
        with pytest.raises(ForbiddenAddressError, match="not a public address"):
            operator(url)


def test_from_s3(operator: Callable[..., dict[str, int]], bucket: Callable[[str], Any]) -> None:
    bucket("orders").put_object(Bucket="orders", Key="orders.csv", Body=joined().encode())
    assert operator("s3://aws_default@orders/orders.csv")["loaded"] == 3


LARGE = """
import resource, sys, time
from include.core.csv_files.load import load_csv
from include.core.warehouse.attempt import Attempt
from tests.integration.csv_files.test_csv import ORDERS
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.monotonic()
with open(sys.argv[1], "rb") as file:
    result = load_csv(file, ORDERS, sys.argv[2], Attempt("dag", "load", sys.argv[1], 1), max_bad_share=0.01)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(result.rows_in, grown // (1024 if sys.platform == "linux" else 1024 * 1024), time.monotonic() - started)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path, warehouse: str) -> None:
    grown = {}
    for count in (50_000, 250_000):  # a batch has some 9,000
        path = tmp_path / f"{count}.csv.gz"
        with gzip.open(path, "wt", compresslevel=1) as file:
            file.write("id,name,price,at\n")
            for number in range(1, count + 1):
                file.write(
                    f"{number},name of number {number} {'x' * 400},{number % 1000}.25,2024-06-01T08:00:00+00:00\n"
                )
        process = subprocess.run(
            [sys.executable, "-c", LARGE, str(path), warehouse],
            cwd=REPOSITORY, env={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'plugins'}", "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        rows, megabytes, _ = process.stdout.split()[-3:]
        assert int(rows) == count
        grown[count] = int(megabytes)
    assert grown[250_000] - grown[50_000] < 20, f"MB by rows: {grown}; the larger file has 90 MB more text"
