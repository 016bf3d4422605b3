"""Dependencies between DAGs, from the assets in their ``schedule``, ``inlets`` and ``outlets``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from devstack.api import Airflow

SMALL: dict[str, dict[str, Any]] = {"titanic_ml_pipeline": {"models": ["logistic_regression"], "repeats": 1}}
"""Conf of a quick run, for DAGs whose default params are sized for production."""
STALLED_SECONDS = 60  # without a further parsed DAG file


@dataclass(frozen=True)
class Asset:
    """An asset with the DAGs around it.

    Attributes:
        published: time of its last event; ``None`` if it was never published.
        producers: DAGs that publish it; empty if something outside Airflow does.
        starts: DAGs that are scheduled on it.
        readers: DAGs that read it, including those scheduled on it.
    """

    name: str
    published: datetime | None
    producers: frozenset[str]
    starts: frozenset[str]
    readers: frozenset[str]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Asset:
        """Return the asset in a REST API response."""
        event = content["last_asset_event"]
        producers, starts, readers = (
            frozenset(reference["dag_id"] for reference in content[key])
            for key in ("producing_tasks", "scheduled_dags", "consuming_tasks")
        )
        published = datetime.fromisoformat(event["timestamp"]) if event and event["id"] else None
        return cls(content["name"], published, producers, starts, (readers | starts) - producers)


def graph(assets: Iterable[Asset]) -> dict[str, set[str]]:
    """Return the upstream DAGs of each DAG that reads or publishes an asset."""
    needs: dict[str, set[str]] = {}
    for asset in assets:
        for dag_id in asset.producers:
            needs.setdefault(dag_id, set())
        for dag_id in asset.readers:
            needs.setdefault(dag_id, set()).update(asset.producers)
    return needs


def missing(airflow: Airflow, folder: Path, dag_id: str) -> list[Asset]:
    """Return the assets that a DAG reads and that were never published, sorted by name.

    Waits while an unparsed DAG file in ``folder`` may still define the producer of an asset.
    """
    while True:
        unpublished = [asset for asset in assets(airflow) if dag_id in asset.readers and not asset.published]
        if all(asset.producers for asset in unpublished) or not wait_for_files(airflow, folder):
            return sorted(unpublished, key=lambda asset: asset.name)


def unpublished(airflow: Airflow, name: str) -> list[Asset]:
    """Return the asset of this name if it was never published."""
    return [asset for asset in assets(airflow) if asset.name == name and not asset.published]


def assets(airflow: Airflow) -> list[Asset]:
    """Return every asset but those with a watcher: the triggerer publishes them, and they stand for no data."""
    return [Asset.of(content) for content in airflow.assets() if not content["watchers"]]


def wait_for_files(airflow: Airflow, folder: Path) -> bool:
    """Wait until every DAG file in ``folder`` is parsed or progress stops; return whether waiting completed them."""
    remaining, moved, waited = unparsed(airflow, folder), time.monotonic(), False
    while remaining and time.monotonic() - moved < STALLED_SECONDS:
        waited = True
        time.sleep(0.5)
        current = unparsed(airflow, folder)
        if current != remaining:
            remaining, moved = current, time.monotonic()
    return waited and not remaining


def unparsed(airflow: Airflow, folder: Path) -> set[str]:
    """Return the files that look like DAG files but have neither a DAG nor an import error in Airflow yet."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if _may_define_dags(path)}
    return files - airflow.files() - airflow.import_errors().keys()


def _may_define_dags(path: Path) -> bool:
    return "dag" in path.read_text(errors="replace").lower()
