"""The report of ``make run``: tasks, rows, messages, the source of the data, and what to do after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from devstack import messages, outputs, own_settings, preview
from devstack.api import Airflow
from devstack.environment import LIVE_WEATHER, Upstream, get_local, local_url
from devstack.stack import Stack
from include.core.warehouse.connect import connect
from include.core.warehouse.preview.model import RunPreview
from include.core.warehouse.preview.terminal import whole
from include.domains.weather.settings import WEATHER
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
RECORDING = "openweather_daily"
SKIPPING = "Skipping task."  # of Airflow's task runner


@dataclass(frozen=True)
class Outcome:
    """Finished runs of one DAG, as the REST API describes them; ``previews`` of a run that only previews."""

    dag_id: str
    runs: list[dict[str, Any]]
    stack: Stack
    airflow: Airflow
    previews: list[tuple[str, RunPreview | None]] | None = None

    @contextmanager
    def warehouse(self) -> Iterator[psycopg.Cursor[dict[str, Any]]]:
        """Open the warehouse that the runs loaded into."""
        with connect(self.stack.warehouse_uri) as session, session.cursor(row_factory=dict_row) as cursor:
            yield cursor

    def loads(self) -> list[dict[str, Any]]:
        """Return the load log rows that these runs wrote: the newest of each dataset, partition and run."""
        with self.warehouse() as warehouse:
            return warehouse.execute(
                """
                SELECT DISTINCT ON (dataset, partition_key, run_id) *
                FROM load_log
                WHERE dag_id = %s AND run_id = ANY(%s) AND started_at >= %s
                ORDER BY dataset, partition_key, run_id, load_id DESC
                """,
                [
                    self.dag_id,
                    [run["dag_run_id"] for run in self.runs],
                    min(datetime.fromisoformat(run["start_date"] or run["queued_at"]) for run in self.runs),
                ],
            ).fetchall()


def write(console: Console, outcome: Outcome) -> bool:
    """Print the report; return whether every run succeeded and every row is accounted for."""
    instances = [
        instance
        for run in outcome.runs
        for instance in outcome.airflow.task_instances(outcome.dag_id, run["dag_run_id"])
    ]
    failed = [run for run in outcome.runs if run["state"] != "success"]
    if not instances:
        console.print("[red]no task ran[/]: is the DAG's start_date after the requested day?")
        return False
    console.print(_tasks(instances, many=len(outcome.runs) > 1))
    if outcome.previews is not None:
        preview.write(console, outcome.previews)
        if failed:
            _failure(console, outcome, instances)
        return not failed and bool(outcome.previews)
    loads = outcome.loads()
    ok = not failed
    silent = {run["dag_run_id"] for run in outcome.runs} - {load["run_id"] for load in loads}
    if outcome.dag_id == PIPELINE and not failed:
        silent -= {task["dag_run_id"] for task in instances if "superseded" in skip_reason(outcome.airflow, task)}
    if outcome.dag_id == PIPELINE and silent and not failed:
        console.print(
            f"[red]{len(silent)} run(s) loaded nothing[/], though all tasks succeeded: {', '.join(sorted(silent))}"
        )
        ok = False
    if loads:
        ok = _rows(console, loads) and ok
        if any(load["dataset"] == TABLE for load in loads):
            ok = _weather(console, outcome, loads) and ok
    if len(outcome.runs) == 1:
        outputs.write(console, outcome.airflow, instances)
        messages.write(console, outcome.stack, outcome.dag_id, outcome.runs[0])
    for run in failed:
        _failure(console, outcome, [task for task in instances if task["dag_run_id"] == run["dag_run_id"]])
    return ok


def skip_reason(airflow: Airflow, instance: dict[str, Any]) -> str:
    """Return why a task skipped itself; empty if it didn't."""
    if instance["state"] != "skipped" or not instance["try_number"]:
        return ""
    lines = (line.partition(SKIPPING) for line in airflow.log(instance))
    return next((reason.strip() for before, skipping, reason in lines if skipping and not before), "")


def task_name(instance: dict[str, Any]) -> str:
    """Return the task's id, with the map index if the task is mapped."""
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
    for task in sorted(instances, key=lambda task: (task["dag_run_id"], task["start_date"] or "9999", task["task_id"])):
        cells = (task_name(task), coloured(task["state"]), str(task["try_number"]), f"{task['duration'] or 0:.2f}")
        table.add_row(*((task["dag_run_id"],) if many else ()), *cells)
    return table


def _rows(console: Console, loads: list[dict[str, Any]]) -> bool:
    table = Table(title="Rows: in = loaded + quarantined", title_justify="left")
    replayed = any(load["replayed_from"] for load in loads)
    origin = ("replay of",) if replayed else ()
    for heading in ("dataset", "partition", *origin, "in", "loaded", "quarantined", "full"):
        is_number = heading in {"in", "loaded", "quarantined"}
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for load in loads:
        missing = ", ".join(load["missing"]) or "see the log"
        complete = "[green]yes[/]" if load["complete"] else f"[yellow]no: {missing}[/]"
        counts = (str(load[column]) for column in ("rows_in", "loaded", "quarantined"))
        recorded = (str(load["replayed_from"] or ""),) if replayed else ()
        table.add_row(load["dataset"], load["partition_key"], *recorded, *counts, complete)
    console.print(table)
    return all(load["rows_in"] == load["loaded"] + load["quarantined"] for load in loads)


def _weather(console: Console, outcome: Outcome, loads: list[dict[str, Any]]) -> bool:
    from devstack import chart  # slow to import; `make run` imports it while the tasks run

    with outcome.warehouse() as warehouse:
        days = [load["partition_key"] for load in loads if load["dataset"] == TABLE]
        published = chart.rows(warehouse, days)
        recent = chart.recent(warehouse, max(days))
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
    """Return the path relative to the working directory, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _credit(outcome: Outcome, days: list[str]) -> str:
    """Describe where the weather comes from: your own API, live, or the replayed days with licence and attribution."""
    if WEATHER.variable in own_settings.for_airflow():
        return f"from your own connection {WEATHER.conn_id}"
    if outcome.stack.upstream is Upstream.LIVE:
        return f"live from Open-Meteo ({LIVE_WEATHER}), CC BY 4.0"
    first, last = min(days), max(days)
    recorded = first if first == last else f"{first} to {last}"
    about = get_local(f"{local_url(outcome.stack.state, 'upstreams')}/about", timeout=10).json()
    recording = next(item for item in about["datasets"] if item["name"] == RECORDING)
    return f"bundled replay, recorded data of {recorded}, {recording['licence']}. {recording['attribution']}"


def _failure(console: Console, outcome: Outcome, instances: list[dict[str, Any]]) -> None:
    failed = [task for task in instances if task["state"] == "failed"]
    for task in failed[:3]:
        console.print(f"\n[red]{task_name(task)} failed[/]; the end of its log:")
        for line in outcome.airflow.log(task)[-LOG_LINES:]:
            console.print(f"  {whole(line)}", markup=False, highlight=False)
    details = outcome.airflow.dag(outcome.dag_id) or {}
    console.print("\nWhat to do:")
    if runbook := runbook_of(details.get("doc_md")):
        console.print(f"  read docs/runbooks/{runbook}")
    console.print(
        f"  full log: {_shown(outcome.stack.state.airflow_home / 'logs' / f'dag_id={outcome.dag_id}')}",
        soft_wrap=True,
    )
    console.print(f"  fix it and `make run DAG={outcome.dag_id}` again: a repeated run creates no duplicate rows")
