"""Many sources: seconds of CPU to make their DAGs.

Each measurement is a new process that has loaded Airflow, as the DAG processor has. Ours reads and validates that many
YAML files and makes their DAGs; the limit reads the same content as JSON and makes DAGs of four empty tasks. A worker
parses the file too, but makes the one DAG that it needs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.comparison import Comparison, Goal, Role, Series, take_turns
from include.core.sources import text
from include.core.sources.scaffold import SCHEMA, YAML

COUNTS = (10, 100, 1_000, 5_000)
LINEAR = 1.5
WHY = (
    "the empty DAGs have no params. Airflow checks the three of a source's DAG against JSON schema, and copies them for"
    " each of its tasks, which is most of the time; reading and validating the YAML is a tenth of it."
)
MAKE = """
import json, sys, time
from pathlib import Path
import airflow.sdk
from include.core.sources.factory import create_dags
started = time.process_time()
dags = create_dags(Path(sys.argv[1]), "postgres_default")
print(json.dumps([len(dags), time.process_time() - started]))
"""
BARE = """
import json, sys, time
from pathlib import Path
from airflow.sdk import DAG, chain
from airflow.providers.standard.operators.empty import EmptyOperator
started = time.process_time()
dags = []
for file in sorted(Path(sys.argv[1]).glob("*.json")):
    source = json.loads(file.read_text())
    with DAG(source["name"], schedule=source["schedule"]) as dag:
        chain(*(EmptyOperator(task_id=name) for name in "abcd"))
    dags.append(dag)
print(json.dumps([len(dags), time.process_time() - started]))
"""
ONE = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "process_source_7_data"}


def compare(repeats: int) -> list[Comparison]:
    """Measure ten to five thousand sources."""
    comparisons, worker = [], {}
    each: dict[int, Series] = {}
    with tempfile.TemporaryDirectory(prefix="spellbook-sources-") as scratch:
        for count in COUNTS:
            folder = _folder(Path(scratch), count)
            made, bare, one = take_turns(
                min(repeats, 3),
                partial(_seconds, MAKE, folder, count),
                partial(_seconds, BARE, folder, count),
                partial(_seconds, MAKE, folder, 1, ONE),
            )
            each[count] = Series(Role.OURS, "", [1000 * value / count for value in made])
            worker[count] = one
            comparisons.append(
                Comparison(
                    f"{count:,} sources",
                    "s",
                    (Series(Role.OURS, "", made), Series(Role.LIMIT, "", bare)),
                    Goal(at_most=2, of=Role.LIMIT),
                    why=WHY,
                )
            )
    most, fewer = each[COUNTS[-1]], each[COUNTS[-2]]
    return [
        *comparisons,
        Comparison(f"a DAG, of {COUNTS[-1]:,}", "ms", (most,), Goal(at_most=5)),
        Comparison(
            f"a DAG, of {COUNTS[-1]:,} and of {COUNTS[-2]:,}",
            "ms",
            (most, Series(Role.LIMIT, "", fewer.values)),
            Goal(at_most=LINEAR, of=Role.LIMIT),
        ),
        Comparison(
            f"a worker's one DAG, of {COUNTS[-1]:,} and of {COUNTS[0]}",
            "s",
            (Series(Role.OURS, "", worker[COUNTS[-1]]), Series(Role.LIMIT, "", worker[COUNTS[0]])),
            Goal(at_most=LINEAR, of=Role.LIMIT),
        ),
    ]


def _folder(scratch: Path, count: int) -> Path:
    folder = scratch / str(count)
    folder.mkdir()
    for number in range(count):
        name = f"source_{number}"
        yaml_text = YAML.format(name=name, schema=SCHEMA)
        (folder / f"{name}.yaml").write_text(yaml_text, encoding="utf-8")
        content, _ = text.parse(yaml_text, folder / name)
        (folder / f"{name}.json").write_text(json.dumps(content, default=str), encoding="utf-8")
    return folder


def _seconds(code: str, folder: Path, expected: int, extra: dict[str, str] | None = None) -> float:
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, **(extra or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    count, seconds = json.loads(result.stdout.splitlines()[-1])
    if count != expected:
        sys.exit(f"{count} DAGs were made from {expected} sources")
    return float(seconds)
