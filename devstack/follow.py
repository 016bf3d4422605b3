"""Print the progress of runs until they end."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.markup import escape

from devstack import report
from devstack.api import Airflow, RefusedError
from devstack.state import State
from devstack.waiting import REST

FINISHED = {"success", "failed"}
TRY_ENDED = FINISHED | {"up_for_retry", "skipped", "upstream_failed"}
NOT_STARTED = {None, "scheduled", "queued"}
REMIND_SECONDS = 30.0
UNPAUSE_SECONDS = 1.0
POLL_SECONDS = 0.2
HINTS = {"awaiting_input": "answer it in the UI under Required Actions"}

Instance = tuple[str, str, int]


def follow(console: Console, state: State, airflow: Airflow, dag_id: str, run_ids: list[str]) -> list[dict[str, Any]]:
    """Print the progress until every run has ended; return the runs."""
    seen: dict[Instance, tuple[str, int]] = {}
    ended: set[str] = set()
    many = len(run_ids) > 1
    reported_at = unpaused_at = time.monotonic()
    while True:
        asked_at = time.monotonic()
        runs = airflow.runs(dag_id, run_ids)
        before = len(seen), len(ended)
        for run in runs:
            if run["state"] in FINISHED and run["dag_run_id"] not in ended:
                ended.add(run["dag_run_id"])
                if many:
                    console.print(f"  {len(ended)}/{len(run_ids)} {run['dag_run_id']} {report.coloured(run['state'])}")
        instances = [] if many else airflow.task_instances(dag_id, run_ids[0])
        changed = _print_changes(console, airflow, instances, seen)
        state.note_waiting()
        if len(ended) == len(run_ids):
            return runs
        if time.monotonic() - unpaused_at > UNPAUSE_SECONDS:
            unpaused_at = time.monotonic()
            _keep_unpaused(airflow, dag_id)
        if changed or before != (len(seen), len(ended)):
            reported_at = time.monotonic()
        elif time.monotonic() - reported_at > REMIND_SECONDS:
            reported_at = time.monotonic()
            console.print(
                f"  [dim]{_describe_waiting(state, instances, len(run_ids) - len(ended))}[/]", highlight=False
            )
        took = time.monotonic() - asked_at
        time.sleep(max(1 if many else POLL_SECONDS, REST * took))


def _keep_unpaused(airflow: Airflow, dag_id: str) -> None:
    """Unpause a DAG that another ``make run`` of it has paused at its end: runs of a paused DAG start no task."""
    details = airflow.dag(dag_id)
    if details and details["is_paused"]:
        airflow.patch(f"/dags/{dag_id}", {"is_paused": False})


def _print_changes(
    console: Console, airflow: Airflow, instances: list[dict[str, Any]], seen: dict[Instance, tuple[str, int]]
) -> bool:
    """Print each task instance whose state has changed, with the reason of a failure; return whether any has."""
    changed = False
    for instance in sorted(instances, key=lambda instance: instance["start_date"] or ""):
        key = (instance["dag_run_id"], instance["task_id"], instance["map_index"])
        now = (instance["state"], instance["try_number"])
        if instance["state"] in NOT_STARTED or seen.get(key) == now:
            continue
        state, number = seen.get(key, ("up_for_retry", 0))
        for missed in range(number + (state in TRY_ENDED), instance["try_number"]):
            _print_state(console, airflow, instance | {"state": "up_for_retry", "try_number": missed})
        seen[key], changed = now, True
        _print_state(console, airflow, instance)
    return changed


def _print_state(console: Console, airflow: Airflow, instance: dict[str, Any]) -> None:
    hint = _reason(airflow, instance) if instance["state"] in {"failed", "up_for_retry"} else ""
    hint = hint or report.skip_reason(airflow, instance) or HINTS.get(instance["state"], "")
    line = f"  {report.task_name(instance)} {report.coloured(instance['state'])} (try {instance['try_number']})"
    console.print(f"{line}  {escape(hint)}".rstrip(), highlight=False)


def _reason(airflow: Airflow, instance: dict[str, Any]) -> str:
    """Return the error that ended a try: the last log line that is an error, or empty."""
    try:
        lines = airflow.log(instance)
    except RefusedError:  # no log: the task never started
        return ""
    return next((line for line in reversed(lines) if _is_error(line)), "")


def _is_error(line: str) -> bool:
    name, colon, _ = line.partition(":")
    return bool(colon) and name.isidentifier() and name[0].isupper()


def _describe_waiting(state: State, instances: list[dict[str, Any]], runs: int) -> str:
    active = [
        task for task in instances if task["state"] not in {*FINISHED, *NOT_STARTED, "skipped", "upstream_failed"}
    ]
    what = ", ".join(f"{report.task_name(task)} ({task['state']})" for task in active) or f"{runs} run(s)"
    return f"waiting for {what}; logs: {state.airflow_home / 'logs'}"
