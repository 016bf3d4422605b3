"""What ``make run`` tells of a run: who answered, the tasks, the rows, and what to do if it failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from devstack import messages, recording
from devstack.api import Airflow
from devstack.environment import LIVE_WEATHER, Upstream
from devstack.postgres import Postgres
from devstack.stack import Stack
from include.ops.alerts.runbooks import runbook_of

PIPELINE, TABLE = "weather_data_pipeline", "weather_data"
COLOURS = {
    "success": "green",
    "failed": "red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "skipped": "magenta",
}
LOG_LINES = 20


@dataclass(frozen=True)
class Outcome:
    """Runs of one DAG that have ended, as the REST API describes them."""

    dag_id: str
    runs: list[dict[str, Any]]
    stack: Stack
    airflow: Airflow


def write(console: Console, outcome: Outcome) -> bool:
    """Print the report; return whether every run succeeded and every row is accounted for."""
    instances = [
        instance
        for run in outcome.runs
        for instance in outcome.airflow.task_instances(outcome.dag_id, run["dag_run_id"])
    ]
    failed = [run for run in outcome.runs if run["state"] != "success"]
    if not instances:
        console.print("[red]no task ran[/]: does the DAG's start_date lie after the day that was asked for?")
        return False
    console.print(_tasks(instances, many=len(outcome.runs) > 1))
    loads = _loads(outcome)
    good = not failed
    silent = {run["dag_run_id"] for run in outcome.runs} - {load["run_id"] for load in loads}
    if outcome.dag_id == PIPELINE and silent and not failed:
        console.print(
            f"[red]{len(silent)} run(s) loaded nothing[/], though all tasks succeeded: {', '.join(sorted(silent))}"
        )
        good = False
    if loads:
        good = _rows(console, loads) and good
        if any(load["dataset"] == TABLE for load in loads):
            good = _weather(console, outcome, loads) and good
    if len(outcome.runs) == 1:
        messages.write(console, outcome.stack.state, outcome.dag_id, outcome.runs[0])
    for run in failed:
        _failure(console, outcome, [one for one in instances if one["dag_run_id"] == run["dag_run_id"]])
    return good


def task_name(instance: dict[str, Any]) -> str:
    """Return the task's id, with the index of a mapped one."""
    name, index = instance["task_id"], instance["map_index"]
    return f"{name}[{index}]" if index >= 0 else f"{name}"


def coloured(state: str | None) -> str:
    """Return a state as rich markup."""
    return f"[{COLOURS.get(state or '', 'default')}]{state or 'not started'}[/]"


def _tasks(instances: list[dict[str, Any]], *, many: bool) -> Table:
    table = Table(title="Tasks", title_justify="left")
    for heading in (*(("run",) if many else ()), "task", "state"):
        table.add_column(heading, overflow="fold")
    table.add_column("tries", justify="right")
    table.add_column("seconds", justify="right")
    for one in sorted(instances, key=lambda one: (one["dag_run_id"], one["start_date"] or "9999", one["task_id"])):
        cells = (task_name(one), coloured(one["state"]), str(one["try_number"]), f"{one['duration'] or 0:.2f}")
        table.add_row(*((one["dag_run_id"],) if many else ()), *cells)
    return table


def _warehouse(outcome: Outcome) -> psycopg.Connection[dict[str, Any]]:
    return Postgres.of(outcome.stack.state).connect("warehouse")


def _loads(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the rows of the load log that these runs wrote; the newest of each dataset, partition and run."""
    with _warehouse(outcome) as connection:
        exists = connection.execute("SELECT to_regclass('load_log') AS it").fetchone()
        if not exists or exists["it"] is None:
            return []
        return connection.execute(
            """
            SELECT DISTINCT ON (dataset, partition_key, run_id) *
            FROM load_log
            WHERE dag_id = %s AND run_id = ANY(%s) AND started_at >= %s
            ORDER BY dataset, partition_key, run_id, load_id DESC
            """,
            [
                outcome.dag_id,
                [run["dag_run_id"] for run in outcome.runs],
                min(datetime.fromisoformat(run["start_date"] or run["queued_at"]) for run in outcome.runs),
            ],
        ).fetchall()


def _rows(console: Console, loads: list[dict[str, Any]]) -> bool:
    table = Table(title="Rows: in = loaded + quarantined", title_justify="left")
    replayed = any(load["replayed_from"] for load in loads)
    origin = ("replay of",) if replayed else ()
    for heading in ("dataset", "partition", *origin, "in", "loaded", "quarantined", "complete"):
        table.add_column(heading, justify="right" if heading in {"in", "loaded", "quarantined"} else "left")
    for load in loads:
        complete = "[green]yes[/]" if load["complete"] else f"[red]no: {', '.join(load['missing']) or 'see the log'}[/]"
        counts = (str(load[column]) for column in ("rows_in", "loaded", "quarantined"))
        recorded = (str(load["replayed_from"] or ""),) if replayed else ()
        table.add_row(load["dataset"], load["partition_key"], *recorded, *counts, complete)
    console.print(table)
    return all(load["rows_in"] == load["loaded"] + load["quarantined"] and load["complete"] for load in loads)


def _weather(console: Console, outcome: Outcome, loads: list[dict[str, Any]]) -> bool:
    from devstack import chart  # a second of imports, which `make run` has done while the tasks ran

    with _warehouse(outcome) as connection:
        days = [load["partition_key"] for load in loads if load["dataset"] == TABLE]
        published = chart.rows(connection, days)
        recent = chart.recent(connection, max(days))
    console.print(chart.table(published))
    weather = [load for load in loads if load["dataset"] == TABLE]
    credit = _credit(outcome, [str(load["replayed_from"] or load["partition_key"]) for load in weather])
    console.print(f"Weather: {credit}", highlight=False)
    if not recent:
        return False
    console.print(chart.in_terminal(recent), markup=False, highlight=False)
    picture = outcome.stack.state.root / "reports" / f"{TABLE}.png"
    chart.picture(recent, credit, picture)
    console.print(f"Chart: {_shown(picture)}")
    return bool(published)


def _shown(path: Path) -> Path:
    """Return the path as seen from the working directory, if it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _credit(outcome: Outcome, days: list[str]) -> str:
    """Say where the weather comes from: live, or which days' recording was replayed."""
    if outcome.stack.upstream is Upstream.LIVE:
        return f"live from Open-Meteo ({LIVE_WEATHER}), CC BY 4.0"
    first, last = min(days), max(days)
    recorded = first if first == last else f"{first} to {last}"
    return f"bundled replay, recorded data of {recorded}, {recording.credit(outcome.stack.state)}"


def _failure(console: Console, outcome: Outcome, instances: list[dict[str, Any]]) -> None:
    failed = [one for one in instances if one["state"] == "failed"]
    for one in failed[:3]:
        console.print(f"\n[red]{task_name(one)} failed[/]; the end of its log:")
        for line in outcome.airflow.log(one)[-LOG_LINES:]:
            console.print(f"  {escape(line)}", highlight=False)
    details = outcome.airflow.dag(outcome.dag_id) or {}
    console.print("\nWhat to do:")
    if runbook := runbook_of(details.get("doc_md")):
        console.print(f"  read docs/runbooks/{runbook}")
    console.print(
        f"  the whole log: {_shown(outcome.stack.state.airflow_home / 'logs' / f'dag_id={outcome.dag_id}')}",
        soft_wrap=True,
    )
    console.print(f"  fix it and `make run DAG={outcome.dag_id}` again: a repeated run leaves no row twice")
