"""Loading a CSV file.

Each measurement is a new process on the same PostgreSQL. The limit copies the file as it is into a table with the same
columns and primary key; a load validates each row, audits, compares with earlier loads, and is idempotent. The slow
ways of a script, an INSERT for each row and pandas' ``to_sql``, take the first rows of the file only; their times are
scaled. 10,000,000 rows are loaded once.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import psycopg
import sqlalchemy

from benchmarks.comparison import Comparison, Goal, Role, Series
from devstack.postgres import WAREHOUSE, Postgres
from devstack.state import REPOSITORY, free_port
from include.core.csv_files.load import load_csv
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.schema import create_table

ROWS, SLOW_ROWS, MANY_ROWS = 1_000_000, 20_000, 10_000_000
MEMORY = 250
PANDAS = 5  # times as fast as it
WHY = (
    "a load copies the rows to a stage, audits and profiles them there, and inserts them one by one;"
    " [contract.md](contract.md#speed) says what each takes."
)
WHY_INVALID = (
    "each rejected row is stored with its line, its values and all reasons, as `jsonb` and with two indexes, which"
    " takes the server three times as long as to publish it."
)
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


class Step(StrEnum):
    """What a process does; in this order, since ``AGAIN`` repeats the load before it."""

    IDLE = "idle"
    COPY = "copy"
    FIRST = "first"
    AGAIN = "again"
    INVALID = "invalid"
    INSERT = "insert"
    TO_SQL = "to_sql"


SLOW = (Step.INSERT, Step.TO_SQL)


def compare(repeats: int) -> list[Comparison]:
    """Measure a first load, the same load again, one with half of its rows invalid, and one of ten times the rows."""
    seconds: dict[Step, list[float]] = {step: [] for step in Step}
    memory: dict[Step, float] = dict.fromkeys(Step, 0)
    with tempfile.TemporaryDirectory(prefix="spellbook-csv-") as scratch:
        Path(scratch).chmod(0o755)
        good, bad, many = (Path(scratch, f"{name}.csv") for name in ("good", "bad", "many"))
        _write(good, ROWS, 0)
        _write(bad, ROWS, 2)
        _write(many, MANY_ROWS, 0)
        server = Postgres(Path(scratch, "cluster"), free_port(), "benchmark", durable=True)
        server.start()
        try:
            server.prepare_warehouse()
            uri = server.uri(WAREHOUSE)
            for _ in range(min(repeats, 3)):
                for step in Step:
                    if step is not Step.AGAIN:
                        _empty(uri)
                    taken, megabytes = _measure(step, uri, bad if step is Step.INVALID else good)
                    seconds[step].append(taken * (ROWS / SLOW_ROWS if step in SLOW else 1))
                    memory[step] = max(memory[step], megabytes)
            once = {}
            for step in (Step.COPY, Step.FIRST):
                _empty(uri)
                once[step] = _measure(step, uri, many)
        finally:
            server.remove()
    copied = Series(Role.LIMIT, "COPY", seconds[Step.COPY])
    first = Series(Role.OURS, "", seconds[Step.FIRST])
    most = max(memory[step] for step in (Step.FIRST, Step.AGAIN, Step.INVALID)) - memory[Step.IDLE]
    rows, many_rows = f"{ROWS:,} rows", f"{MANY_ROWS:,} rows"
    return [
        Comparison(
            f"{rows}, first load",
            "s",
            (first, Series(Role.BASELINE, "an INSERT for each row", seconds[Step.INSERT]), copied),
            Goal(at_most=2.5, of=Role.LIMIT),
            why=WHY,
        ),
        Comparison(
            f"{rows}, beside pandas",
            "s",
            (first, Series(Role.BASELINE, "to_sql", seconds[Step.TO_SQL])),
            Goal(at_most=1 / PANDAS, of=Role.BASELINE),
        ),
        Comparison(
            f"{rows}, the same load again",
            "s",
            (Series(Role.OURS, "", seconds[Step.AGAIN]), copied),
            Goal(at_most=2, of=Role.LIMIT),
            why=WHY,
        ),
        Comparison(
            f"{rows}, half of them invalid",
            "s",
            (
                Series(Role.OURS, "", seconds[Step.INVALID]),
                Series(Role.LIMIT, "a first load of valid rows", seconds[Step.FIRST]),
            ),
            Goal(at_most=1.5, of=Role.LIMIT),
            why=WHY_INVALID,
        ),
        Comparison(
            f"{many_rows}, first load",
            "s",
            (Series(Role.OURS, "", [once[Step.FIRST][0]]), Series(Role.LIMIT, "COPY", [once[Step.COPY][0]])),
            Goal(at_most=2.5, of=Role.LIMIT),
            why=WHY,
        ),
        *(
            Comparison(
                f"memory of a load of {count}, above that of its imports",
                "MB",
                (Series(Role.OURS, "", [megabytes]),),
                Goal(at_most=MEMORY),
            )
            for count, megabytes in ((rows, most), (many_rows, once[Step.FIRST][1] - memory[Step.IDLE]))
        ),
    ]


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


def _measure(step: Step, uri: str, file: Path) -> tuple[float, float]:
    """Return the seconds and the megabytes of one process."""
    command = [sys.executable, "-m", "benchmarks.csv_files", step, uri, str(file)]
    done = subprocess.run(command, cwd=REPOSITORY, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    taken, megabytes = json.loads(done.stdout.splitlines()[-1])
    return taken, megabytes


def _work(step: Step, uri: str, file: Path) -> None:
    started_at = time.perf_counter()
    with file.open("rb") as content:
        if step is Step.COPY:
            _copy(uri, content)
        elif step in SLOW:
            _insert(uri, content, step)
        elif step is not Step.IDLE:
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


def _insert(uri: str, content: BinaryIO, step: Step) -> None:
    head = io.BytesIO(b"".join(itertools.islice(content, SLOW_ROWS + 1)))
    with connect(uri) as session:
        create_table(session, LINES)
        session.execute(f"ALTER TABLE {LINES.name} ALTER load_id SET DEFAULT 0, ALTER loaded_at SET DEFAULT now()")
        if step is Step.INSERT:
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
    _work(Step(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
