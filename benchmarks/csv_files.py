r"""Loads of a CSV file compared with ``\copy`` of the same file: ``python -m benchmarks.csv_files``.

Each measurement is a new process on the same PostgreSQL. The baseline copies the file as it is into a table with the
same columns and primary key; a load validates each row, audits, and is idempotent. Memory is what a process needs more
than one that has only imported the same modules. The slow ways of a script, an INSERT for each row and pandas, take the
first rows of the file only, and are compared by their time for a row.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import psycopg
import sqlalchemy
from rich.console import Console
from rich.table import Table

from devstack.postgres import WAREHOUSE, Postgres
from devstack.state import REPOSITORY, free_port
from include.core.csv_files.load import load_csv
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.schema import create_table

FIRST, RELOAD, MEMORY = 0.4, 0.5, 250  # limits: shares of \copy's speed, and MB
INSERTS, PANDAS = 30, 5  # limits: how many times as fast a first load is
SLOW_ROWS = 20_000
LINES = Dataset(
    name="bench_lines",
    columns=(
        Column("id", "bigint", minimum=1),
        Column("invoice_no", "text"),
        Column("stock_code", "text"),
        Column("description", "text", nullable=True),
        Column("quantity", "integer", minimum=-100_000, maximum=100_000),
        Column("invoiced_at", "timestamp with time zone"),
        Column("unit_price", "numeric", minimum=-100_000, maximum=100_000),
        Column("customer_id", "bigint", nullable=True, minimum=1, pii=True),
        Column("country", "text"),
    ),
    key=("id",),
    timezone="Europe/London",
    rules=("unit_price >= 0 unless invoice_no starts with A",),
)
BASELINE, LOAD, IDLE, INSERT, TO_SQL = "copy", "load", "idle", "insert", "to_sql"


def main() -> int:
    """Measure, print the table, and return 1 if a limit was exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.csv_files", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="spellbook-csv-") as scratch:
        Path(scratch).chmod(0o755)
        good, bad = Path(scratch, "good.csv"), Path(scratch, "bad.csv")
        _write(good, arguments.rows, 0)
        _write(bad, arguments.rows, 2)
        server = Postgres(Path(scratch, "cluster"), free_port(), "benchmark", durable=True)
        server.start()
        try:
            server.prepare_warehouse()
            uri = server.uri(WAREHOUSE)
            is_fast, seconds = _compare(console, uri, good, bad, arguments.repeats)
            is_faster = _compare_slow(console, uri, good, seconds / arguments.rows)
            return not (is_fast and is_faster)
        finally:
            server.remove()


def _compare(console: Console, uri: str, good: Path, bad: Path, repeats: int) -> tuple[bool, float]:
    """Return whether all limits hold, and the seconds of a first load."""
    _, idle = _measure(IDLE, uri, good)
    seconds: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    for _ in range(repeats):
        for name, mode, file, empty in (
            ("\\copy into the same table", BASELINE, good, True),
            ("first load", LOAD, good, True),
            ("the same load again", LOAD, good, False),
            ("half of the rows invalid", LOAD, bad, True),
        ):
            if empty:
                _empty(uri)
            taken, megabytes = _measure(mode, uri, file)
            seconds.setdefault(name, []).append(taken)
            memory[name] = max(memory.get(name, 0), megabytes - idle)
    baseline, first, again, half = (statistics.median(times) for times in seconds.values())
    table = Table(title="Loads of a CSV file: seconds of wall time", title_justify="left")
    for heading in ("what", "median", "min", "max", "speed of \\copy", "MB over idle"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, times in seconds.items():
        median = statistics.median(times)
        shown = (f"{value:.1f}" for value in (median, min(times), max(times)))
        table.add_row(name, *shown, f"{baseline / median:.2f}", f"{memory[name]:.0f}")
    console.print(table)
    console.print(
        f"limits: first load {FIRST} of \\copy's speed, again {RELOAD}, invalid rows 1.5 times as long, {MEMORY} MB"
    )
    is_fast = (
        baseline / first >= FIRST
        and baseline / again >= RELOAD
        and half <= 1.5 * first
        and max(memory.values()) <= MEMORY
    )
    return is_fast, first


def _compare_slow(console: Console, uri: str, good: Path, for_a_row: float) -> bool:
    speeds = []
    for name, mode, limit in (("an INSERT for each row", INSERT, INSERTS), ("pandas' to_sql", TO_SQL, PANDAS)):
        _empty(uri)
        taken, _ = _measure(mode, uri, good)
        speeds.append(taken / SLOW_ROWS / for_a_row / limit)
        console.print(f"a first load is {speeds[-1] * limit:.0f} times as fast as {name}; limit: {limit} times")
    return min(speeds) >= 1


def _write(file: Path, rows: int, invalid: int) -> None:
    """Write order lines; every ``invalid``-th has a text for its quantity."""
    with file.open("w", encoding="utf-8") as target:
        target.write(",".join(LINES.column_names) + "\n")
        for number in range(1, rows + 1):
            quantity = "many" if invalid and number % invalid == 0 else number % 60 - 3
            target.write(
                f'{number},{536365 + number // 20},{22000 + number % 4000}A,"WHITE HANGING HEART, {number % 977}",'
                f"{quantity},2010-12-{1 + number % 28:02} {number % 24:02}:{number % 60:02}:00,"
                f"{number % 1000 / 100:.2f},{12000 + number % 5000},United Kingdom\n"
            )


def _empty(uri: str) -> None:
    with psycopg.connect(uri) as session:
        session.execute(f"DROP TABLE IF EXISTS {LINES.name}")
        session.execute("TRUNCATE load_log, load_fence, load_profile, quarantine")


def _measure(mode: str, uri: str, file: Path) -> tuple[float, float]:
    """Return the seconds and the megabytes of one process."""
    command = [sys.executable, "-m", "benchmarks.csv_files", mode, uri, str(file)]
    done = subprocess.run(command, cwd=REPOSITORY, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    taken, megabytes = json.loads(done.stdout.splitlines()[-1])
    return taken, megabytes


def _work(mode: str, uri: str, file: Path) -> None:
    started_at = time.perf_counter()
    with file.open("rb") as content:
        if mode == BASELINE:
            _copy(uri, content)
        elif mode in {INSERT, TO_SQL}:
            _insert(uri, content, mode)
        elif mode == LOAD:
            load_csv(content, LINES, uri, Attempt("bench", "load", "run", 1), max_bad_share=0.6)
    taken = time.perf_counter() - started_at
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    sys.stdout.write(json.dumps([taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit]) + "\n")


def _copy(uri: str, content: BinaryIO) -> None:
    with connect(uri, statement_timeout=3600) as session:
        create_table(session, LINES)
        columns = ", ".join(LINES.column_names)
        session.execute(f"ALTER TABLE {LINES.name} ALTER load_id SET DEFAULT 0, ALTER loaded_at SET DEFAULT now()")
        with session.cursor().copy(f"COPY {LINES.name} ({columns}) FROM STDIN WITH (FORMAT csv, HEADER)") as copy:
            while block := content.read(1024 * 1024):
                copy.write(block)


def _insert(uri: str, content: BinaryIO, mode: str) -> None:
    head = io.BytesIO(b"".join(itertools.islice(content, SLOW_ROWS + 1)))
    with connect(uri) as session:
        create_table(session, LINES)
        session.execute(f"ALTER TABLE {LINES.name} ALTER load_id SET DEFAULT 0, ALTER loaded_at SET DEFAULT now()")
        if mode == INSERT:
            values = ", ".join(["%s"] * len(LINES.columns))
            statement = f"INSERT INTO {LINES.name} ({', '.join(LINES.column_names)}) VALUES ({values})"  # noqa: S608
            rows = csv.reader(io.TextIOWrapper(head, "utf-8", newline=""))
            next(rows)
            with session.transaction():
                for row in rows:
                    session.execute(statement, row)
            return
    engine = sqlalchemy.create_engine(uri.replace("postgresql://", "postgresql+psycopg://"))
    frame = pd.read_csv(head, parse_dates=["invoiced_at"])
    frame.to_sql(LINES.name, engine, if_exists="append", index=False, method="multi", chunksize=1000)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] in {BASELINE, LOAD, IDLE, INSERT, TO_SQL}:
        _work(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    else:
        sys.exit(main())
