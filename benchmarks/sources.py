"""Parse time of a DAG file with many sources: ``python -m benchmarks.sources``.

Each measurement is a new process that has loaded Airflow, like the dag-processor; it reads that many YAML files,
creates their DAGs (to which the limit applies), and serializes them. CPU time is measured, which is independent of the
machine's load. The parse of a worker, which needs one DAG, is measured too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from include.core.sources.scaffold import SCHEMA, YAML

LIMIT_SECONDS = 10.0
LARGEST = 1000
LINEAR = 1.5  # limit for the cost of a DAG among a thousand, relative to its cost among a hundred
PROBE = """
import json, sys, time
from pathlib import Path
import airflow.sdk
from airflow.serialization.serialized_objects import DagSerialization
from include.core.sources.factory import create_dags
folder = Path(sys.argv[1])
started = time.process_time()
dags = create_dags(folder, "postgres_default")
made = time.process_time()
for dag in dags.values():
    DagSerialization.to_dict(dag)
print(json.dumps([len(dags), made - started, time.process_time() - made]))
"""
READ = """
import json, sys, time
from pathlib import Path
from include.core.sources.files import load_sources
started = time.process_time()
sources, errors = load_sources(Path(sys.argv[1]))
print(json.dumps([len(sources), time.process_time() - started, 0]))
"""


def main() -> int:
    """Measure, print the table, and return 1 if a limit was exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    table = Table(title="Sources: seconds of CPU to parse, in one process", title_justify="left")
    for heading in ("sources", "read YAML", "with DAGs", "with serialization", "ms a DAG"):
        table.add_column(heading, justify="right")
    cost_per_dag: dict[int, float] = {}
    total = 0.0
    with tempfile.TemporaryDirectory(prefix="spellbook-sources-") as scratch:
        for count in (10, 100, LARGEST):
            folder = _folder(Path(scratch), count)
            read, _ = _median(READ, folder, count, repeats)
            created, serialized = _median(PROBE, folder, count, repeats)
            total = created
            cost_per_dag[count] = created / count
            table.add_row(
                str(count),
                *(f"{value:.2f}" for value in (read, created, created + serialized)),
                f"{1000 * cost_per_dag[count]:.1f}",
            )
        single, _ = _median(PROBE, folder, 1, repeats, {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "process_source_7_data"})
    console = Console()
    console.print(table)
    console.print(f"a worker's parse of one DAG out of {LARGEST}: {1000 * single:.0f} ms")
    growth = cost_per_dag[LARGEST] / cost_per_dag[100]
    console.print(
        f"limit for {LARGEST}: {LIMIT_SECONDS:.0f} s; cost of a DAG, {LARGEST} to 100: {growth:.2f} (limit {LINEAR})"
    )
    return not (total <= LIMIT_SECONDS and growth <= LINEAR)


def _folder(scratch: Path, count: int) -> Path:
    folder = scratch / str(count)
    folder.mkdir()
    for number in range(count):
        name = f"source_{number}"
        (folder / f"{name}.yaml").write_text(YAML.format(name=name, schema=SCHEMA), encoding="utf-8")
    return folder


def _median(
    code: str, folder: Path, expected: int, repeats: int, extra: dict[str, str] | None = None
) -> tuple[float, float]:
    runs = []
    for _ in range(repeats):
        result = subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            env={**os.environ, **(extra or {})},
            capture_output=True,
            text=True,
            check=True,
        )
        count, *seconds = json.loads(result.stdout.splitlines()[-1])
        if count != expected:
            sys.exit(f"{count} DAGs were created from {expected} sources")
        runs.append(seconds)
    return statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)


if __name__ == "__main__":
    sys.exit(main())
