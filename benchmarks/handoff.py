"""Handing 50 MB and 1 GB from a task to the next.

Ours writes a file to object storage and passes its URL; the baseline returns the data, which Airflow stores as JSON in
its database; the limit writes and reads the same file without Airflow. Seconds are what both tasks took more than a
pair that passes nothing. Memory is the largest of the two processes. 1 GB isn't tried through the database.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import psycopg

from benchmarks.comparison import Comparison, Goal, Role, Series, take_turns
from benchmarks.own_stack import OwnStack, own_stack, seconds_of

BLOCK = 1024 * 1024
SMALL, LARGE = 50, 1000
WHY = (
    "a first write to object storage takes 0.003 s in a fresh process; where the rest of the 0.05 s goes wasn't found."
)
DAGS = """
import os
import resource
import sys
from airflow.sdk import ObjectStoragePath, dag, task

BLOCK = bytes(range(256)) * 4096


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)


@dag(schedule=None, is_paused_upon_creation=False)
def by_file():
    @task
    def write(**context):
        from include.core.dag import storage_root
        from include.core.storage import handoff_folder, writing

        run = context["dag_run"]
        target = handoff_folder(storage_root(), run.dag_id, run.run_id) / "data"
        with writing(target) as file:
            for _ in range(run.conf["blocks"]):
                file.write(BLOCK)
        return str(target)

    @task
    def read(url):
        size = 0
        with ObjectStoragePath(url).open("rb") as file:
            while block := file.read(len(BLOCK)):
                size += len(block)
        ObjectStoragePath(url).unlink()
        return [size, peak()]

    read(write())


@dag(schedule=None, is_paused_upon_creation=False)
def by_xcom():
    @task
    def write(**context):
        return os.urandom(len(BLOCK) * context["dag_run"].conf["blocks"] // 2).hex()

    @task
    def read(text):
        return [len(text), peak()]

    read(write())


@dag(schedule=None, is_paused_upon_creation=False)
def by_nothing():
    @task
    def write():
        return ""

    @task
    def read(text):
        return [0, peak()]

    read(write())


by_file(), by_xcom(), by_nothing()
"""


def compare(repeats: int) -> list[Comparison]:
    """Measure both sizes, then the baseline in a stack with Airflow's own XCom backend."""
    repeats = min(repeats, 3)
    with own_stack({"handoff.py": DAGS}) as own:
        own.unpause(["by_file", "by_nothing"])
        own.run("by_file", blocks=1)  # the first run pays for imports
        measured = {
            size: take_turns(
                repeats,
                partial(_run, own, "by_nothing", 0),
                partial(_run, own, "by_file", size),
                partial(_copy, own.folder / "copied", size),
            )
            for size in (SMALL, LARGE)
        }
        growth, memory = _stored(own, LARGE)
    backend = {"AIRFLOW__CORE__XCOM_BACKEND": "airflow.sdk.bases.xcom.BaseXCom"}
    with own_stack({"handoff.py": DAGS}, overrides=backend) as own:
        own.unpause(["by_xcom", "by_nothing"])
        own.run("by_nothing")
        nothing, database = take_turns(
            repeats, partial(_run, own, "by_nothing", 0), partial(_run, own, "by_xcom", SMALL)
        )
        xcom_growth, xcom_memory = _stored(own, SMALL, "by_xcom")
    through_xcom = Series(Role.BASELINE, "JSON in Airflow's database", _above(database, nothing))
    rows = [
        Comparison(
            f"{size:,} MB",
            "s",
            (
                Series(Role.OURS, "", _above(file, empty)),
                *([through_xcom] if size == SMALL else []),
                Series(Role.LIMIT, "", copied),
            ),
            Goal(at_most=2, of=Role.LIMIT),
            why=WHY if size == SMALL else "",
        )
        for size, (empty, file, copied) in measured.items()
    ]
    return [
        *rows,
        Comparison(
            "growth of Airflow's database",
            "kB",
            (
                Series(Role.OURS, f"{LARGE:,} MB", [growth / 1000]),
                Series(Role.BASELINE, f"{SMALL} MB", [xcom_growth / 1000]),
            ),
            Goal(at_most=10),
        ),
        Comparison(
            "largest task process",
            "MB",
            (
                Series(Role.OURS, f"{LARGE:,} MB", [memory / 1e6]),
                Series(Role.BASELINE, f"{SMALL} MB", [xcom_memory / 1e6]),
            ),
        ),
    ]


def _run(own: OwnStack, dag_id: str, blocks: int) -> float:
    """Return the seconds of both tasks together."""
    return sum(map(seconds_of, own.tasks(own.run(dag_id, blocks=blocks))))


def _above(values: list[float], empty: list[float]) -> list[float]:
    return [max(value - nothing, 0.001) for value, nothing in zip(values, empty, strict=True)]


def _copy(source: Path, size: int) -> float:
    """Return the seconds to write and read the file without Airflow."""
    started_at = time.perf_counter()
    with source.open("wb") as file:
        for _ in range(size):
            file.write(bytes(range(256)) * 4096)
    with source.open("rb") as file:
        while file.read(BLOCK):
            pass
    seconds = time.perf_counter() - started_at
    source.unlink()
    return seconds


def _stored(own: OwnStack, size: int, dag_id: str = "by_file") -> tuple[int, int]:
    """Return the bytes that a run leaves in the table of XComs, and the largest memory of its tasks."""
    before = _xcom_bytes(own)
    run = own.run(dag_id, blocks=size)
    path = f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances/read/xcomEntries/return_value"
    read, peak = own.airflow.get(path, deserialize=True)["value"]
    if read != size * BLOCK:
        raise ValueError(f"{read} bytes were read of {size * BLOCK}")
    return _xcom_bytes(own) - before, int(peak)


def _xcom_bytes(own: OwnStack) -> int:
    with psycopg.connect(own.server.uri("airflow")) as session:
        row = session.execute("SELECT coalesce(sum(pg_column_size(xcom.*)), 0) FROM xcom").fetchone()
    return int(row[0]) if row else 0
