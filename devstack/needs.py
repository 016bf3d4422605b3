"""What DAGs read of one another, by the assets that they declare: in ``schedule``, ``inlets`` and ``outlets``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from devstack.api import Airflow

SMALL: dict[str, dict[str, Any]] = {"titanic_ml_pipeline": {"models": ["logistic_regression"], "repeats": 1}}
"""Conf of a run whose result is all that matters, where a DAG's own params are sized for production."""
STALLED = 60  # seconds in which no further DAG file was parsed


@dataclass(frozen=True)
class Asset:
    """An asset with the DAGs around it.

    Attributes:
        published: when it was the last time; ``None`` if it never was.
        producers: DAGs that publish it; none if something outside of Airflow does.
        starts: DAGs that it starts.
        readers: DAGs that read it, those that it starts among them.
    """

    name: str
    published: datetime | None
    producers: frozenset[str]
    starts: frozenset[str]
    readers: frozenset[str]

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Asset:
        """Return an asset that the REST API describes."""
        event = described["last_asset_event"]
        producers, starts, readers = (
            frozenset(reference["dag_id"] for reference in described[key])
            for key in ("producing_tasks", "scheduled_dags", "consuming_tasks")
        )
        published = datetime.fromisoformat(event["timestamp"]) if event and event["id"] else None
        return cls(described["name"], published, producers, starts, (readers | starts) - producers)


def graph(assets: Iterable[Asset]) -> dict[str, set[str]]:
    """Return for each DAG that reads or publishes an asset the DAGs that publish what it reads."""
    needs: dict[str, set[str]] = {}
    for asset in assets:
        for dag_id in asset.producers:
            needs.setdefault(dag_id, set())
        for dag_id in asset.readers:
            needs.setdefault(dag_id, set()).update(asset.producers)
    return needs


def missing(airflow: Airflow, folder: Path, dag_id: str) -> list[Asset]:
    """Return the assets that a DAG reads and that were never published, by name.

    While DAG files in ``folder`` are still to be parsed, the one that publishes an asset may be among them.
    """
    while True:
        found = [asset for asset in assets(airflow) if dag_id in asset.readers and not asset.published]
        if all(asset.producers for asset in found) or not wait_for_files(airflow, folder):
            return sorted(found, key=lambda asset: asset.name)


def assets(airflow: Airflow) -> list[Asset]:
    """Return every asset."""
    return [Asset.of(described) for described in airflow.assets()]


def wait_for_files(airflow: Airflow, folder: Path) -> bool:
    """Wait until every DAG file in ``folder`` was parsed, or nothing moves any more; return whether it had to wait."""
    left, moved, waited = unparsed(airflow, folder), time.monotonic(), False
    while left and time.monotonic() - moved < STALLED:
        waited = True
        time.sleep(0.5)
        still = unparsed(airflow, folder)
        if still != left:
            left, moved = still, time.monotonic()
    return waited and not left


def unparsed(airflow: Airflow, folder: Path) -> set[str]:
    """Return the files that look like DAG files, of which Airflow knows neither a DAG nor an import error."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if _may_define_dags(path)}
    return files - airflow.files() - airflow.import_errors().keys()


def _may_define_dags(path: Path) -> bool:
    return "dag" in path.read_text(errors="replace").lower()
