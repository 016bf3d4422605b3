"""``make preview DAG=…``: what a run would change in its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from devstack.api import Airflow, RefusedError
from devstack.errors import UsageError
from devstack.trigger import has_schedule
from include.core.warehouse.preview.model import RunPreview
from include.core.warehouse.preview.terminal import show_load

CONF = {"preview": True}
LOCAL = "file://"


def require_preview(details: dict[str, Any], *, scheduled: bool = False) -> None:
    """Raise if a DAG, of which Airflow's API gives the details, has no preview, or none that writes nothing.

    A paused DAG must be unpaused to run. Where schedules are on (``scheduled``), Airflow would start a run that loads.
    """
    if "preview" not in (details["params"] or {}):
        raise UsageError(
            f"{details['dag_id']} has no preview: it loads no table, or its params lack PREVIEW of include/core/dag.py"
        )
    if scheduled and details["is_paused"] and has_schedule(details):
        raise UsageError(
            f"{details['dag_id']} is paused, and running its preview would start its schedule: unpause it in the UI, or"
            " stop `make up` first"
        )


def previews(airflow: Airflow, dag_id: str, run_ids: list[str]) -> list[tuple[str, RunPreview | None]]:
    """Return the URL of the page that each task of the runs stored, and its content if it is on this machine."""
    found = []
    for task in (task for run_id in run_ids for task in airflow.task_instances(dag_id, run_id)):
        path = f"/dags/{dag_id}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/xcomEntries/preview"
        try:
            url = str(airflow.get(path, map_index=task["map_index"])["value"])
        except RefusedError as refusal:
            if refusal.status == 404:  # the task loads nothing
                continue
            raise
        content = Path(url.removeprefix(LOCAL)).with_suffix(".json") if url.startswith(LOCAL) else None
        found.append((url, RunPreview.model_validate_json(content.read_bytes()) if content else None))
    return found


def write(console: Console, shown: list[tuple[str, RunPreview | None]]) -> None:
    """Print what the tasks of a run would load."""
    for url, preview in shown:
        for load in preview.loads if preview else ():
            show_load(console, load)
        console.print(f"Preview, nothing was written: {url}", markup=False, highlight=False)
