"""The embedded stack: ``python -m devstack up|run|preview|sql|adopt|reproduce|challenger|promote|roll-back|…``.

``make help`` lists the short forms.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from datetime import date
from difflib import unified_diff
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.markup import escape

from devstack import challenger, models, own_settings, preview, run_document, sql, status
from devstack.adopt import adopt
from devstack.api import Airflow
from devstack.arguments import conf, day, kind
from devstack.endings import ENDINGS, Stopped, ending, ignore_signals, stopped_by_signals
from devstack.environment import ADMIN, Upstream, connection_uri, local_url, process_environment
from devstack.errors import StackError
from devstack.exits import Exit
from devstack.fill import Fill, keep_filled
from devstack.postgres import Postgres
from devstack.process import Record, spawn
from devstack.report import Outcome
from devstack.run import Finished, run
from devstack.stack import Stack
from devstack.state import REPOSITORY, State
from devstack.trigger import Kind, check_period
from include.core.settings import POSTGRES
from include.core.warehouse.connect import connect, conninfo
from include.core.warehouse.errors import NotMigratedError
from include.core.warehouse.migrations import migrate, require_migrated
from include.core.warehouse.shown import shown


def main() -> int:
    """Run one command; return its exit code."""
    arguments = _parser().parse_args()
    console = Console(soft_wrap=True, stderr=getattr(arguments, "json", False))
    message, arguments.runs, arguments.upstream = None, [], None
    try:
        with stopped_by_signals():
            own_settings.forget_libpq()
            arguments.own = own_settings.described(own_settings.load())
            code: Exit = arguments.command(arguments, console)
    except ENDINGS as error:
        message, code = ending(error)
        with suppress(OSError):  # the terminal is closed
            console.print(f"[red]{escape(message)}[/]", highlight=False)
    if arguments.command is _run and arguments.json:
        document = run_document.document(
            arguments.dag_id, arguments.kind, code, arguments.upstream, arguments.runs, message
        )
        print(document.model_dump_json(indent=1))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    commands = parser.add_subparsers(
        required=True,
        metavar="up|run|preview|sql|adopt|reproduce|challenger|promote|roll-back|migrate|status|down|clean",
    )

    up = commands.add_parser("up", help="start everything, with Airflow's web UI; follow until Ctrl-C, then stop it")
    up.set_defaults(command=_up)

    run_parser = commands.add_parser("run", help="run one DAG end to end and report")
    run_parser.add_argument("dag_id", nargs="?", default="weather_data_pipeline")
    run_parser.add_argument("--date", type=day, help="UTC day of the data interval, YYYY-MM-DD")
    run_parser.add_argument("--to", type=day, help="last day of a backfill, YYYY-MM-DD")
    run_parser.add_argument(
        "--as", dest="kind", type=kind, default=Kind.MANUAL, help="manual, scheduled, backfill or asset"
    )
    run_parser.add_argument("--conf", type=conf, default={}, help="the run's conf, a JSON object")
    run_parser.add_argument("--json", action="store_true", help="print one JSON document, the rest on stderr")
    run_parser.set_defaults(command=_run)

    preview_parser = commands.add_parser("preview", help="show what a run of one DAG would change in its tables")
    preview_parser.add_argument("dag_id")
    preview_parser.add_argument("--date", type=day, help="UTC day of the data interval, YYYY-MM-DD")
    preview_parser.add_argument("--conf", type=conf, default={}, help="the run's conf, a JSON object")
    preview_parser.add_argument("--json", action="store_true", help="print the previews as JSON, the rest on stderr")
    preview_parser.set_defaults(command=_preview)

    sql_parser = commands.add_parser("sql", help="show the rows of a query of the warehouse, or its tables")
    sql_parser.add_argument("query", nargs="?", default="", help="one SELECT")
    sql_parser.set_defaults(command=_sql)

    adopt_parser = commands.add_parser("adopt", help="bring a DAG file of Airflow 2 up to date")
    adopt_parser.add_argument("file", type=Path)
    adopt_parser.set_defaults(command=_adopt)

    reproduce_parser = commands.add_parser("reproduce", help="train a registered model again and compare the files")
    reproduce_parser.add_argument("version", nargs="?", default="", help="version or MLflow run; default: the champion")
    reproduce_parser.set_defaults(command=_reproduce)

    roll_back_parser = commands.add_parser("roll-back", help="serve the model that the champion replaced")
    roll_back_parser.set_defaults(command=_roll_back)
    challenger_parser = commands.add_parser("challenger", help="compare the challenger with the champion, or choose it")
    challenger_parser.add_argument(
        "version", nargs="?", default="", help="version, MLflow run or candidate that becomes challenger; none: clear"
    )
    challenger_parser.add_argument("--days", type=int, default=7, help="days to compare; default: 7")
    challenger_parser.set_defaults(command=_challenger)

    promote_parser = commands.add_parser("promote", help="serve the challenger, if the gates have accepted it")
    promote_parser.set_defaults(command=_promote)
    for parser_of_model in (reproduce_parser, challenger_parser, promote_parser, roll_back_parser):
        parser_of_model.add_argument("--model", default="", help="the model's name; default: the only one")

    status_parser = commands.add_parser("status", help="list the services, their state, ports and logs")
    status_parser.add_argument("--json", action="store_true", help="print one JSON document")
    status_parser.set_defaults(command=_status)

    for name, command, text in (
        ("migrate", _migrate, "migrate the warehouse's own tables: those of WAREHOUSE_URI, or the stack's"),
        ("down", _down, "stop everything"),
        ("clean", _clean, "stop everything and delete the stack's data"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=command)
    return parser


def _run(arguments: argparse.Namespace, console: Console) -> Exit:
    def finished(outcome: Outcome, ok: bool) -> None:
        if arguments.json:
            arguments.runs += run_document.describe(outcome, succeeded=ok)

    return _run_dag(arguments, console, arguments.kind, arguments.to, arguments.conf, finished)


def _preview(arguments: argparse.Namespace, console: Console) -> Exit:
    shown: list[dict[str, Any]] = []

    def finished(outcome: Outcome, _: bool) -> None:
        shown.extend(item.model_dump(mode="json") for _, item in outcome.previews or () if item)

    code = _run_dag(arguments, console, Kind.MANUAL, None, arguments.conf | preview.CONF, finished)
    if arguments.json:
        print(json.dumps(shown))
    return code


def _run_dag(
    arguments: argparse.Namespace,
    console: Console,
    kind: Kind,
    last: date | None,
    conf: dict[str, Any],
    finished: Finished = lambda *_: None,
) -> Exit:
    check_period(kind, arguments.date, last)
    state = State.open()
    upstream = Upstream.from_environment()
    up = Record.read(state.services / "up.json")
    scheduled = kind is Kind.ASSET
    if up and up.process():  # use the stack that `make up` started as it is
        upstream, scheduled = Upstream(up.fingerprint), True
    arguments.upstream = upstream
    stack = _stack(arguments, console, upstream, schedule=scheduled, loads=True)
    return _exit(run(console, stack, arguments.dag_id, kind, arguments.date, last, conf, finished=finished))


def _exit(ok: bool) -> Exit:
    return Exit.OK if ok else Exit.FAILED


def _reproduce(arguments: argparse.Namespace, console: Console) -> Exit:
    return _exit(models.reproduce(console, _stack(arguments, console), arguments.model, arguments.version))


def _sql(arguments: argparse.Namespace, console: Console) -> Exit:
    stack = _stack(arguments, console)
    stack.ensure(("postgres",))
    Postgres.of(stack.state).prepare_warehouse()
    sql.show(console, conninfo(stack.warehouse_uri), arguments.query)
    return Exit.OK


def _adopt(arguments: argparse.Namespace, console: Console) -> Exit:
    before, after, left = adopt(arguments.file)
    lines = (before.splitlines(keepends=True), after.splitlines(keepends=True))
    for line in unified_diff(*lines, "before", "after", n=0):
        console.print(line.rstrip("\n"), markup=False, highlight=False)
    if before == after:
        console.print(f"{arguments.file}: nothing could be replaced", markup=False)
    for finding in left:
        console.print(f"{arguments.file}, {finding}", markup=False, highlight=False)
    console.print(
        f"left to do by hand: {len(left)}"
        if left
        else "no other name is known to be gone: `make run DAG=…`, then `make gate`"
    )
    return _exit(not left)


def _challenger(arguments: argparse.Namespace, console: Console) -> Exit:
    stack = _stack(arguments, console)
    if arguments.version:
        challenger.choose(console, stack, arguments.model, arguments.version)
    else:
        challenger.show(console, stack, arguments.model, arguments.days)
    return Exit.OK


def _promote(arguments: argparse.Namespace, console: Console) -> Exit:
    challenger.promote(console, _stack(arguments, console), arguments.model)
    return Exit.OK


def _roll_back(arguments: argparse.Namespace, console: Console) -> Exit:
    return _exit(models.roll_back(console, _stack(arguments, console), arguments.model))


def _stack(
    arguments: argparse.Namespace,
    console: Console,
    upstream: Upstream = Upstream.REPLAY,
    *,
    schedule: bool = False,
    loads: bool = False,
) -> Stack:
    """Return the stack, with a user's own settings, which are named; check their warehouse if something is loaded."""

    def say(line: str) -> None:
        console.print(f"[dim]{escape(line)}[/]")

    for line in arguments.own:
        say(line)
    if loads:
        _require_own_warehouse()
    state = State.open()
    _keep(state)
    return Stack(state, upstream, schedule=schedule, overrides=own_settings.for_airflow(), say=say)


def _require_own_warehouse() -> None:
    """Check a warehouse that isn't the stack's, before anything is started.

    Raises:
        StackError: if it can't be reached, or isn't migrated.
    """
    if connection := own_settings.for_airflow().get(POSTGRES.variable):
        uri = connection_uri(connection)
        try:
            with connect(uri) as session:
                require_migrated(session)
        except NotMigratedError as error:
            raise StackError(f"{POSTGRES.conn_id}: {error} Here, `make migrate` does.") from error
        except psycopg.Error as error:
            raise StackError(f"{POSTGRES.conn_id}: {shown(error, uri)}") from error


def _up(arguments: argparse.Namespace, console: Console) -> Exit:
    state = State.open()
    upstream = Upstream.from_environment()
    up_record = state.services / "up.json"
    other = Record.read(up_record)
    if other and other.process():
        raise StackError(f"the stack is already running (process {other.pid}): {local_url(state, 'api')}")
    stack = _stack(arguments, console, upstream, schedule=True, loads=True)
    Record.of(os.getpid(), upstream).write(up_record)
    stopping = threading.Event()
    try:
        stack.ensure(stack.services)
        console.print(
            f"\n  {local_url(state, 'api')}   user [bold]{ADMIN}[/]   password [bold]{state.secret(ADMIN)}[/]"
        )
        console.print(f"  weather: {upstream}   alerts arrive in {state.root / 'alerts'}   logs: {state.logs}")
        console.print("  Ctrl-C stops everything\n")
        fill = partial(_fill, stack)
        threading.Thread(
            target=keep_filled, args=(fill, local_url(state, "model_server"), stack.say, stopping), daemon=True
        ).start()
        while True:
            state.last_used.touch()
            with state.lock():  # `make run` may be restarting Airflow after an edit
                if not any(service.pid for service in stack.status()):
                    console.print("stopped by `make down`")
                    return Exit.OK
                stack.require_running(stack.services)
            time.sleep(2)
    except Stopped as stopped:
        return Exit.OK if stopped.exit is Exit.INTERRUPTED else stopped.exit
    finally:
        ignore_signals()
        stopping.set()
        up_record.unlink(missing_ok=True)
        names = ", ".join(stack.stop())
        with suppress(OSError):  # the terminal is closed
            console.print(f"stopped: {names}")


def _fill(stack: Stack) -> Fill:
    return Fill(Airflow.of(stack.state), stack.dags, stack.say)


def _migrate(arguments: argparse.Namespace, console: Console) -> Exit:
    uri = given = os.environ.get("WAREHOUSE_URI", "")
    if not given:
        stack = _stack(arguments, console)
        stack.ensure(["postgres"])
        Postgres.of(stack.state).prepare_warehouse()
        uri = stack.warehouse_uri
    try:
        version = migrate(uri)
    except psycopg.Error as error:
        raise StackError(f"{'WAREHOUSE_URI' if given else POSTGRES.conn_id}: {shown(error, uri)}") from error
    console.print(f"the warehouse's own tables are at version {version}")
    return Exit.OK


def _status(arguments: argparse.Namespace, console: Console) -> Exit:
    document = status.status(Stack(State.open(for_use=False)))
    if arguments.json:
        print(document.model_dump_json(indent=1))
    else:
        status.show(console, document)
    return Exit.OK


def _down(_: argparse.Namespace, console: Console) -> Exit:
    stopped = Stack(State.open(for_use=False)).stop()
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return Exit.OK


def _clean(arguments: argparse.Namespace, console: Console) -> Exit:
    _down(arguments, console)
    state = State.open(for_use=False)
    Postgres(state.root / "postgres", port=0, password="").remove()
    shutil.rmtree(state.root)
    console.print(f"removed {state.root}")
    return Exit.OK


def _keep(state: State) -> None:
    """Start the keeper, which stops an idle stack, unless it is running; delayed, so as not to slow the start."""
    record = state.services / "keeper.json"
    keeper = Record.read(record)
    if not keeper or not keeper.process():
        command = ["/bin/sh", "-c", 'sleep 20; exec "$@"', "sh", sys.executable, "-m", "devstack.keeper"]
        Record.of(spawn(command, state.logs / "keeper.log", process_environment(), REPOSITORY), "").write(record)


if __name__ == "__main__":
    sys.exit(main())
