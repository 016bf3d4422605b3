"""Parsing a DAG file: seconds of CPU of a fresh process.

Each process imports ``airflow.sdk``, defines an empty DAG (the limit), and imports one file of ``dags/``. The baseline
imports the same libraries at the top of the file as the tutorial's examples do: pandas and requests for an ETL;
pandas, scikit-learn and MLflow for a model. The DAG processor pays this for each file, each time that it parses it, and
a worker for each task.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, Goal, Role, Series
from devstack.state import REPOSITORY

EMPTY = "from airflow.sdk import DAG\nDAG('empty', schedule=None)\n"
PROBE = f"""
import runpy, sys, time
{EMPTY}
for file in sys.argv[1:]:
    runpy.run_path(file)
print(time.process_time())
"""
WHY = (
    "`KubernetesPodOperator` imports Kubernetes' client. The DAG processor has loaded it before it parses, and a worker"
    " that runs the file's tasks needs it."
)
TUTORIAL = {
    "an ETL with its imports at the top": "import pandas\nimport requests\nimport sqlalchemy\n",
    "a model with its imports at the top": "import mlflow\nimport pandas\nimport sklearn.ensemble\n",
}


def compare(repeats: int) -> list[Comparison]:
    """Measure each file of ``dags/``, all of them, and the tutorial's imports."""
    files = sorted((REPOSITORY / "dags").glob("*.py"))
    empty: list[float] = []
    seconds: dict[Path, list[float]] = {file: [] for file in files}
    tutorial: dict[str, list[float]] = {name: [] for name in TUTORIAL}
    together: list[float] = []
    with tempfile.TemporaryDirectory(prefix="spellbook-parse-") as scratch:
        for name, imports in TUTORIAL.items():
            Path(scratch, f"{name}.py").write_text(imports + EMPTY, encoding="utf-8")
        for _ in range(repeats):
            for file in files:
                empty.append(_seconds(scratch))
                seconds[file].append(_seconds(scratch, file))
            for name in TUTORIAL:
                tutorial[name].append(_seconds(scratch, Path(scratch, f"{name}.py")))
            together.append(_seconds(scratch, *files))
    slowest = max(files, key=lambda file: statistics.median(seconds[file]))
    etl, model = (Series(Role.BASELINE, name, values) for name, values in tutorial.items())
    bare = Series(Role.LIMIT, "an empty DAG", empty)
    medians = [statistics.median(values) for values in seconds.values()]
    return [
        Comparison(
            "the slowest file",
            "s",
            (Series(Role.OURS, slowest.name, seconds[slowest]), model, bare),
            Goal(at_most=1.3, of=Role.LIMIT),
            why=WHY if "KubernetesPodOperator" in slowest.read_text(encoding="utf-8") else "",
        ),
        Comparison(
            "a file, of all",
            "s",
            (Series(Role.OURS, f"{len(files)} files", medians), etl, bare),
            Goal(at_most=1.1, of=Role.LIMIT),
        ),
        Comparison(f"all {len(files)} files in one process", "s", (Series(Role.OURS, "", together), bare)),
    ]


def _seconds(home: str, *files: Path) -> float:
    """Return the seconds of CPU of a fresh process that imports the files."""
    environment = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW_CONFIG": str(REPOSITORY / "airflow.cfg")}
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *map(str, files)], env=environment, capture_output=True, text=True, check=True
    )
    return float(result.stdout.splitlines()[-1])
