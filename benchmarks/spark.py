"""Compare pandas and Spark on local[*]: sessions of increasing numbers of order lines.

``python -m benchmarks.spark [ROWS …]`` prints a Markdown table. Each engine runs in its own process, as in the DAGs,
from start to written result; the recorded lines are repeated, each copy with its own customers and invoices. CPU time
covers all cores and child processes: on a shared machine it is more meaningful than wall time.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from upath import UPath

from devstack import spark
from devstack.environment import process_environment
from devstack.state import REPOSITORY
from include.core.storage import url_of
from include.domains.sessions import output, pandas_sessions

RETAIL = REPOSITORY / "include/data/retail"
ROWS = (7_270, 500_000, 2_000_000)
FILES = 8
CUSTOMERS = 100_000  # more than any number in the recorded lines, so that copies don't overlap


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time, seconds of CPU time and the largest process's memory in MB."""

    wall: float
    cpu: float
    memory: float


def write(folder: Path, rows: int) -> None:
    """Write at least ``rows`` order lines, in several files, so that Spark can read them in parallel."""
    recorded = pandas_sessions.read(url_of(RETAIL))
    copies = max(1, round(rows / len(recorded)))
    for copy in range(copies):
        number = pd.to_numeric(recorded["CustomerID"]) + copy * CUSTOMERS
        changed = recorded.assign(CustomerID=number, InvoiceNo=recorded["InvoiceNo"] + f"-{copy}")
        file = folder / f"lines-{copy % FILES}.csv"
        changed.to_csv(file, mode="a", header=not file.exists(), index=False)


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command and return its cost."""
    started_at = time.monotonic()
    with tempfile.TemporaryFile() as output_file:
        process = subprocess.Popen(command, env=dict(environment), stdout=output_file, stderr=output_file)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - started_at
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output_file.seek(0)
            raise SystemExit(f"{command[0]} failed:\n{output_file.read().decode()[-2000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def compare(rows: int, folder: Path) -> str:
    """Measure both engines on that many rows, check that the results are equal, and return a table row."""
    lines = folder / "lines"
    lines.mkdir()
    write(lines, rows)
    values = process_environment()
    options = ["--master", "local[*]", "--driver-memory", "2g", "--conf", "spark.ui.enabled=false"]
    options += ["--conf", f"spark.sql.shuffle.partitions={os.cpu_count()}"]
    tasks = {
        "pandas": [sys.executable, "-m", "include.domains.sessions.pandas_sessions"],
        "spark": ["spark-submit", *options, str(REPOSITORY / "include/domains/sessions/sessions.py")],
    }
    # The JVM's defaults: the embedded stack's options are for small jobs.
    values |= spark.environment(values["PATH"]) | {"JDK_JAVA_OPTIONS": ""}
    cost, results = {}, {}
    for engine, command in tasks.items():
        run = folder / "sessions" / engine / "run"
        urls = ["--input", url_of(lines), "--output", url_of(run / "try-1")]
        cost[engine] = measure([*command, *urls], values)
        results[engine] = output.publish(UPath(run))
    if results["pandas"] != results["spark"]:
        raise SystemExit(f"the results differ: {results}")
    old, new = cost["pandas"], cost["spark"]
    megabytes = sum(file.stat().st_size for file in lines.iterdir()) / 1e6
    return (
        f"| {results['spark'].counts['read']:,} | {megabytes:,.0f} | {old.wall:.1f} | {new.wall:.1f} |"
        f" {old.cpu:.1f} | {new.cpu:.1f} | {new.cpu / old.cpu:.1f} | {old.memory:,.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spark")
    parser.add_argument("rows", type=int, nargs="*", default=ROWS, help="order lines (default: %(default)s)")
    sizes = parser.parse_args().rows
    spark.install(print)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}; load {load:.1f}\n")
    print("| rows | MB | pandas s | Spark s | pandas CPU s | Spark CPU s | CPU, Spark / pandas | pandas MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            print(compare(rows, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
