"""``make run``: one DAG, end to end, through the real scheduler, and a report of what came of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rich.console import Console

from devstack import report, spark
from devstack.api import Airflow
from devstack.environment import Upstream
from devstack.errors import StackError
from devstack.recording import SAMPLES, WEATHER, Recording
from devstack.stack import Stack
from devstack.state import REPOSITORY, State
from devstack.stopwatch import Stopwatch
from devstack.trigger import Kind, Request, check_period, start
from include import house_rules, settings

FINISHED = {"success", "failed"}
ALWAYS = ("airflow", "sinks")  # every DAG alerts


def run(
    console: Console, stack: Stack, dag_id: str, kind: Kind, first: date | None, last: date | None, conf: dict[str, Any]
) -> bool:
    """Run a DAG, report on it, and return whether all went well.

    ``first`` defaults to the newest day that the weather API in force has: yesterday, or the last recorded day.

    Raises:
        StackError: if the DAG doesn't exist, doesn't load, or can't be run in this way.
    """
    check_period(kind, first, last)
    watch = Stopwatch()
    stack.ensure((*ALWAYS, *(("upstreams",) if stack.upstream is Upstream.REPLAY else ())))
    watch.lap("stack")
    airflow = Airflow.of(stack.state)
    details = load(airflow, dag_id, stack.dags)
    if note := house_rules.note_in(details["doc_md"]):
        console.print(note, style="yellow", markup=False, highlight=False)
    source = airflow.source(dag_id)
    others = [load(airflow, other, stack.dags) for other in triggered(source)]
    sources = source + "".join(airflow.source(other["dag_id"]) for other in others)
    services = _services_of(sources, stack.upstream)
    if "spark" in services:
        spark.install(stack.say)
    stack.ensure(services)
    watch.lap("parse")
    first = first or _newest_day(stack, dag_id)
    request = Request(dag_id, kind, first, last or first, conf)
    with ExitStack() as unpaused:
        for each in (*others, details):
            unpaused.enter_context(_unpaused(console, airflow, each, keep=stack.schedule))
        run_ids = start(request, airflow, stack, details)
        console.print(f"[bold]{dag_id}[/] {kind} {_period(request)}: {airflow.url}/dags/{dag_id}/runs/{run_ids[0]}")
        runs = _follow(console, stack.state, airflow, dag_id, run_ids)
    watch.lap("run")
    outcome = report.Outcome(dag_id, runs, stack, airflow)
    good = report.write(console, outcome)
    watch.lap("report")
    console.print(f"[dim]{watch}[/]")
    return good


def load(airflow: Airflow, dag_id: str, folder: Path, patience: float = 20) -> dict[str, Any]:
    """Have the DAG's file parsed as it is now, and return the DAG's details.

    Raises:
        StackError: with the file's own error if it doesn't load, or with the nearest names if there is no such DAG.
    """
    asked = datetime.now(UTC)
    details = airflow.dag(dag_id)
    files = [details["relative_fileloc"]] if details else list(_files_that_may_define(dag_id, folder))
    for file in files:
        airflow.parse(file)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and files:
        errors = airflow.import_errors()
        for file in files:
            if file in errors and datetime.fromisoformat(errors[file]["timestamp"]) >= asked - timedelta(seconds=1):
                raise StackError(f"dags/{file} does not load:\n{_own_part(errors[file]['stack_trace'], folder)}")
        details = airflow.dag(dag_id)
        if details and datetime.fromisoformat(details["last_parsed_time"]) >= asked:
            return details
        if details is None:
            parsed = airflow.parsed_since(asked)
            files = [file for file in files if file not in parsed]
        time.sleep(0.1)
    if details and not details["is_stale"]:
        raise StackError(
            f"dags/{details['relative_fileloc']} was not parsed in {patience:.0f} s; see {airflow.url}/import_errors"
        )
    known = airflow.dag_ids()
    near = get_close_matches(dag_id, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(known))}"
    raise StackError(f"there is no DAG {dag_id!r}; {hint}")


def _files_that_may_define(dag_id: str, folder: Path) -> Iterator[str]:
    """DAG files whose name begins the id (the convention here), whose text holds it, or that make DAGs of files."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(errors="replace")
        if dag_id.startswith(path.stem) or dag_id in text or "include.sources" in text:
            yield path.relative_to(folder).as_posix()


def _own_part(trace: str, folder: Path) -> str:
    """Cut from a traceback the frames that are not this repository's."""
    kept, keep = [], True
    for line in trace.splitlines():
        if line.startswith('  File "'):
            keep = (str(REPOSITORY) in line or str(folder) in line) and "site-packages" not in line
        elif not line.startswith(" "):
            keep = True
        if keep:
            kept.append(line.replace(f"{folder}/", "dags/").replace(f"{REPOSITORY}/", ""))
    return "\n".join(kept)


def triggered(source: str) -> list[str]:
    """Return the DAGs that a DAG file triggers; they have to run too."""
    return sorted(set(re.findall(r"""trigger_dag_id=["']([\w.-]+)["']""", source)))


def _services_of(source: str, upstream: Upstream) -> set[str]:
    """Return the services behind the connections that a DAG file names."""
    live = {"weather_default"} if upstream is Upstream.LIVE else set()
    named = {one.service for one in settings.CONNECTIONS if one.conn_id in source and one.conn_id not in live}
    return named | {"postgres"}


def _newest_day(stack: Stack, dag_id: str) -> date:
    """Return the last day that the bundled data has for the DAG; yesterday, if the DAG asks the live weather API."""
    if dag_id not in SAMPLES and stack.upstream is Upstream.LIVE:
        return datetime.now(UTC).date() - timedelta(days=1)
    return Recording.of(stack.state, SAMPLES.get(dag_id, WEATHER)).last_day


@contextmanager
def _unpaused(console: Console, airflow: Airflow, details: dict[str, Any], *, keep: bool) -> Iterator[None]:
    """A paused DAG starts no task: let it run for now, and leave it as it was.

    Where schedules are on, Airflow may start a run of its own meanwhile, which would be stuck: there it is left to run.
    """
    path = f"/dags/{details['dag_id']}"
    if not details["is_paused"]:
        yield
        return
    airflow.patch(path, {"is_paused": False})
    if keep:
        console.print(f"{details['dag_id']} was paused and no longer is: its schedule is on from now")
    try:
        yield
    finally:
        if not keep:
            airflow.patch(path, {"is_paused": True})


def _follow(console: Console, state: State, airflow: Airflow, dag_id: str, run_ids: list[str]) -> list[dict[str, Any]]:
    """Print what happens until every run has ended; return the runs."""
    seen: dict[tuple[str, str, int], tuple[str, int]] = {}
    ended: set[str] = set()
    many = len(run_ids) > 1
    while True:
        runs = airflow.runs(dag_id, run_ids)
        for run in runs:
            if run["state"] in FINISHED and run["dag_run_id"] not in ended:
                ended.add(run["dag_run_id"])
                if many:
                    console.print(f"  {len(ended)}/{len(run_ids)} {run['dag_run_id']} {report.coloured(run['state'])}")
        if not many:
            _print_changes(console, airflow.task_instances(dag_id, run_ids[0]), seen)
        state.last_used.touch()
        if len(ended) == len(run_ids):
            return runs
        time.sleep(1 if many else 0.1)


def _print_changes(
    console: Console, instances: list[dict[str, Any]], seen: dict[tuple[str, str, int], tuple[str, int]]
) -> None:
    for instance in sorted(instances, key=lambda instance: instance["start_date"] or ""):
        key = (instance["dag_run_id"], instance["task_id"], instance["map_index"])
        now = (instance["state"], instance["try_number"])
        if instance["state"] in {None, "scheduled", "queued"} or seen.get(key) == now:
            continue
        seen[key] = now
        hint = ""
        if instance["state"] == "awaiting_input":
            hint = "  answer it in the UI under Required Actions"
        console.print(
            f"  {report.task_name(instance)} {report.coloured(instance['state'])} (try {instance['try_number']}){hint}"
        )


def _period(request: Request) -> str:
    return str(request.first) if request.first == request.last else f"{request.first} to {request.last}"
