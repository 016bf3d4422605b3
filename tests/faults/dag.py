"""What the DAGs here have in common: their arguments, and how a task tells the ledger of a step."""

from __future__ import annotations

import os
from typing import Any

import requests
from airflow.sdk import Connection, get_current_context
from pendulum import datetime

from include.core.http.client import connection_url
from include.core.tags import Tag

DEFAULTS: dict[str, Any] = {
    "start_date": datetime(2024, 1, 1, tz="UTC"),
    "catchup": False,
    "default_args": {"owner": "data-platform"},
    "tags": [Tag.EXAMPLE],
}


def note(step: str) -> None:
    """Tell the ledger of a step of the running task; return when it answers, which holds some steps back."""
    ti = get_current_context()["ti"]
    task = ti.task_id if ti.map_index in {None, -1} else f"{ti.task_id}[{ti.map_index}]"
    event = {"step": step, "task": task, "run": ti.run_id, "try": ti.try_number, "pid": os.getpid()}
    url = f"{connection_url(Connection.get('ledger_default'))}/events"
    requests.post(url, json=event, timeout=None).raise_for_status()  # noqa: S113  # held as long as the test needs
