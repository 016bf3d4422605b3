"""``make run``: run one DAG end to end through the real scheduler, and report on it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any

import psycopg
from rich.console import Console

from devstack import needs, preview, report, spark, traffic
from devstack.api import Airflow
from devstack.environment import Upstream, local_url
from devstack.errors import StackError
from devstack.follow import follow
from devstack.load import load
from devstack.stack import Stack
from devstack.stopwatch import Stopwatch
from devstack.trigger import Kind, Request, check_period, has_schedule, start
from include import house_rules, settings

Finished = Callable[[report.Outcome, bool], None]
ALWAYS = ("airflow", "sinks")  # every DAG sends alerts


def run(
    console: Console,
    stack: Stack,
    dag_id: str,
    kind: Kind,
    first: date | None,
    last: date | None,
    conf: dict[str, Any],
    needed_by: tuple[str, ...] = (),
    finished: Finished = lambda *_: None,
) -> bool:
    """Run a DAG, report on it, and return whether it succeeded.

    The producers of assets that it reads and that were never published run first, except the DAGs that it is
    ``needed_by``; before a preview, which writes nothing, none does. ``first`` defaults to yesterday (UTC).
    ``finished`` receives the outcome of each DAG that ran, and whether it succeeded.

    Raises:
        StackError: if the DAG doesn't exist, doesn't load or can't be run this way, or a service ends during the run.
    """
    check_period(kind, first, last)
    watch = Stopwatch()
    services = {*ALWAYS, *(("upstreams",) if stack.upstream is Upstream.REPLAY else ())}
    stack.state.note_waiting()
    stack.ensure(services)
    watch.lap("stack")
    try:
        airflow = Airflow.of(stack.state)
        details = load(airflow, dag_id, stack)
        if note := house_rules.note_in(details["doc_md"]):
            console.print(note, style="yellow", markup=False, highlight=False)
        is_preview = conf.get("preview") is True
        if is_preview:
            preview.require_preview(details, scheduled=stack.schedule)
        source = airflow.source(dag_id)
        others = [load(airflow, other, stack) for other in triggered(source)]
        sources = source + "".join(airflow.source(other["dag_id"]) for other in others)
        services |= _services_of(sources, stack.upstream)
        if "spark" in services:  # not a server: the task starts it
            spark.install(stack.say)
            services.remove("spark")
        stack.ensure(services)
        watch.lap("parse")
        first = first or datetime.now(UTC).date() - timedelta(days=1)
        if not is_preview and not _publish_inputs(console, stack, airflow, (*needed_by, dag_id), first, finished):
            return False
        watch.lap("input")
        request = Request(dag_id, kind, first, last or first, conf)
        with ExitStack() as unpaused:
            for dag in (*others, details):
                keep = stack.schedule and has_schedule(dag)
                unpaused.enter_context(_unpaused(console, airflow, dag, keep=keep))
            run_ids = start(request, airflow, stack, details)
            console.print(f"[bold]{dag_id}[/] {kind} {_period(request)}: {airflow.url}/dags/{dag_id}/runs/{run_ids[0]}")
            if dag_id == report.PIPELINE:
                Thread(target=importlib.import_module, args=["devstack.chart"], daemon=True).start()
            runs = follow(console, stack.state, airflow, dag_id, run_ids)
        watch.lap("run")
        shown = preview.previews(airflow, dag_id, run_ids) if is_preview else None
        outcome = report.Outcome(dag_id, runs, stack, airflow, shown)
        ok = report.write(console, outcome)
        finished(outcome, ok)
    except (StackError, psycopg.OperationalError):
        stack.require_running(services)  # the better explanation
        raise
    watch.lap("report")
    console.print(f"[dim]{watch}[/]")
    return ok


def _publish_inputs(
    console: Console, stack: Stack, airflow: Airflow, dag_ids: tuple[str, ...], day: date, finished: Finished
) -> bool:
    """Publish what the last of the DAGs reads, if it never was published; return whether that succeeded."""
    missing = needs.missing(airflow, stack.dags, dag_ids[-1])
    sample = traffic.sample() if traffic.ASSET in {asset.name for asset in missing} else None
    if sample:
        missing = [*needs.unpublished(airflow, sample.MODEL), *missing]
    for asset in missing:
        reason = f"{dag_ids[-1]} reads {asset.name}, which was never published"
        if producer := min(asset.producers.difference(dag_ids), default=None):
            console.print(f"{reason}: running {producer} first")
            conf = needs.SMALL.get(producer, {})
            if not run(console, stack, producer, Kind.MANUAL, day, None, conf, dag_ids, finished):
                return False
        elif sample and asset.name == traffic.ASSET:
            stack.ensure(("mlflow", "model_server"))
            console.print(f"{reason}: {traffic.replay(local_url(stack.state, 'model_server'), airflow, day)}")
    return True


def triggered(source: str) -> list[str]:
    """Return the DAGs that a DAG file triggers, which must run too."""
    return sorted(set(re.findall(r"""trigger_dag_id=["']([\w.-]+)["']""", source)))


def _services_of(source: str, upstream: Upstream) -> set[str]:
    """Return the services behind the connections that a DAG file uses."""
    live = {"weather_default"} if upstream is Upstream.LIVE else set()
    named = {item.service for item in settings.CONNECTIONS if item.conn_id in source and item.conn_id not in live}
    return named | {"postgres"}


@contextmanager
def _unpaused(console: Console, airflow: Airflow, details: dict[str, Any], *, keep: bool) -> Iterator[None]:
    """Unpause a DAG, since a paused one starts no task, and restore its state afterwards.

    With ``keep`` it stays unpaused: where schedules are enabled, a run that Airflow starts meanwhile would get stuck.
    """
    path = f"/dags/{details['dag_id']}"
    if not details["is_paused"]:
        yield
        return
    airflow.patch(path, {"is_paused": False})
    if keep:
        console.print(f"{details['dag_id']} was paused and is now unpaused: its schedule is active")
    try:
        yield
    finally:
        if not keep:
            airflow.patch(path, {"is_paused": True})


def _period(request: Request) -> str:
    return str(request.first) if request.first == request.last else f"{request.first} to {request.last}"
