"""A bad file of a source, as Airflow sees it: one import error that names it; all other DAGs load."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.state import REPOSITORY

DAGS = ("process_source_data", "check_sources", "customer_report", "my_first_spell")
LOOK = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
print(json.dumps({"dags": sorted(bag.dags), "errors": {k.split("/")[-1]: v for k, v in bag.import_errors.items()}}))
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the files that DAG files need."""
    shutil.copytree(REPOSITORY / "include", tmp_path / "include", ignore=shutil.ignore_patterns("data", "__pycache__"))
    shutil.copytree(REPOSITORY / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dags").mkdir()
    for name in DAGS:
        shutil.copy(REPOSITORY / "dags" / f"{name}.py", tmp_path / "dags")
    return tmp_path


def load_dags(repository: Path) -> tuple[set[str], dict[str, str]]:
    environment = os.environ | {"PYTHONPATH": f"{repository}:{repository / 'plugins'}"}
    process = subprocess.run(
        [sys.executable, "-c", LOOK, str(repository / "dags")],
        cwd=repository, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    bag = json.loads(process.stdout.splitlines()[-1])
    return set(bag["dags"]), bag["errors"]


def test_a_bad_source_is_one_import_error_and_affects_no_other_dag(repository: Path) -> None:
    before, errors = load_dags(repository)
    assert errors == {}
    sales = repository / "include" / "domains" / "sources" / "sales.yaml"
    sales.write_text(sales.read_text().replace('"0 0 * * *"', '"99 0 * * *"'))
    (repository / "include" / "domains" / "sources" / "evil.yaml").write_text(
        "name: !!python/object/apply:os.system [reboot]\n"
    )
    after, errors = load_dags(repository)
    assert before - after == {"process_sales_data", "check_sources"}
    [(file, error)] = errors.items()
    assert file == "check_sources.py"
    assert "sources/sales.yaml:5: schedule: must be a cron expression of five fields" in error
    assert "(got '99 0 * * *')" in error
    assert "sources/evil.yaml:1: the tag tag:yaml.org,2002:python/object/apply:os.system isn't allowed" in error
