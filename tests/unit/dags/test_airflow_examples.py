"""Airflow's own example DAGs, unchanged: all of them load, even without owner, our tags and documentation."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

from devstack.catalogue.read import read

PACKAGES = (
    "airflow.example_dags",
    "airflow.providers.standard.example_dags",
    "airflow.providers.common.sql.example_dags",
)


def test_every_example_loads(tmp_path: Path) -> None:
    files = []
    for package in PACKAGES:
        folder = Path(str(import_module(package).__file__)).parent
        files += [path.name for path in folder.glob("*.py") if path.stem != "__init__"]
        shutil.copytree(folder, tmp_path / package)
    dags = read(tmp_path)
    assert {Path(dag.file).name for dag in dags} == set(files)
