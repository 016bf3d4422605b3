"""The embedded stack: ``python -m devstack up|run|preview|sql|adopt|reproduce|roll-back|migrate|status|down|clean``.

``make help`` lists the short forms.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import signal
import sys
import threading
import time
from datetime import date
from difflib import unified_diff
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from devstack import models, own_settings, preview, sql
from devstack.airflow2.adopt import adopt
from devstack.api import Airflow
from devstack.environment import ADMIN, Upstream, connection_uri, local_url, process_environment
from devstack.errors import StackError
from devstack.fill import Fill, keep_filled
from devstack.postgres import Postgres
from devstack.process import Record, spawn
from devstack.run import run
from devstack.stack import Stack
from devstack.state import REPOSITORY, State
from devstack.trigger import Kind, check_period
from include.core.errors import PermanentError
from include.core.ml.errors import ServingError
from include.core.settings import POSTGRES
from include.core.warehouse.connect import connect, conninfo
from include.core.warehouse.errors import NotMigratedError
from include.core.warehouse.migrations import migrate, require_migrated
from include.core.warehouse.preview.model import RunPreview


def main() -> int:
    """Run one command; return the exit code: 0 for success, 1 if the run or the stack failed, 2 for invalid usage."""
    arguments = _parser().parse_args()
    console = Console(soft_wrap=True)
    try:
        own_settings.forget_libpq()
        arguments.own = own_settings.described(own_settings.load())
        return int(arguments.command(arguments, console))
    except (StackError, PermanentError, ServingError) as error:
        console.print(f"[red]{escape(str(error))}[/]", highlight=False)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        console.print(
            f"[red]the disk is full: {error.filename or 'the stack'} could not be written. Free some space.[/]"
        )
        return 1
    except KeyboardInterrupt:
        console.print("\ndetached; the stack keeps running. `make down` stops it.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    commands = parser.add_subparsers(
        required=True, metavar="up|run|preview|sql|adopt|reproduce|roll-back|migrate|status|down|clean"
    )

    up = commands.add_parser("up", help="start everything, with Airflow's web UI; follow until Ctrl-C, then stop it")
    up.set_defaults(command=_up)

    run_parser = commands.add_parser("run", help="run one DAG end to end and report")
    run_parser.add_argument("dag_id", nargs="?", default="weather_data_pipeline")
    run_parser.add_argument("--date", type=_day, help="UTC day of the data interval, YYYY-MM-DD")
    run_parser.add_argument("--to", type=_day, help="last day of a backfill, YYYY-MM-DD")
    run_parser.add_argument(
        "--as", dest="kind", type=_kind, default=Kind.MANUAL, help="manual, scheduled, backfill or asset"
    )
    run_parser.add_argument("--conf", type=_conf, default={}, help="the run's conf, a JSON object")
    run_parser.set_defaults(command=_run)

    preview_parser = commands.add_parser("preview", help="show what a run of one DAG would change in its tables")
    preview_parser.add_argument("dag_id")
    preview_parser.add_argument("--date", type=_day, help="UTC day of the data interval, YYYY-MM-DD")
    preview_parser.add_argument("--conf", type=_conf, default={}, help="the run's conf, a JSON object")
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
    for parser_of_model in (reproduce_parser, roll_back_parser):
        parser_of_model.add_argument("--model", default="", help="the model's name; default: the only one")

    for name, command, text in (
        ("migrate", _migrate, "migrate the warehouse's own tables: those of WAREHOUSE_URI, or the stack's"),
        ("status", _status, "list the services, their state, ports and logs"),
        ("down", _down, "stop everything"),
        ("clean", _clean, "stop everything and delete the stack's data"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=command)
    return parser


def _run(arguments: argparse.Namespace, console: Console) -> bool:
    return not _run_dag(arguments, console, arguments.kind, arguments.to, arguments.conf)


def _preview(arguments: argparse.Namespace, console: Console) -> bool:
    previewed: list[RunPreview] = []
    console = Console(soft_wrap=True, stderr=arguments.json)
    ok = _run_dag(arguments, console, Kind.MANUAL, None, arguments.conf | preview.CONF, previewed)
    if arguments.json:
        print(json.dumps([item.model_dump(mode="json") for item in previewed]))
    return not ok


def _run_dag(
    arguments: argparse.Namespace,
    console: Console,
    kind: Kind,
    last: date | None,
    conf: dict[str, Any],
    previewed: list[RunPreview] | None = None,
) -> bool:
    check_period(kind, arguments.date, last)
    state = State.open()
    upstream = Upstream.from_environment()
    up = Record.read(state.services / "up.json")
    scheduled = kind is Kind.ASSET
    if up and up.process():  # use the stack that `make up` started as it is
        upstream, scheduled = Upstream(up.fingerprint), True
    stack = _stack(arguments, console, upstream, schedule=scheduled, loads=True)
    return run(console, stack, arguments.dag_id, kind, arguments.date, last, conf, previewed=previewed)


def _reproduce(arguments: argparse.Namespace, console: Console) -> bool:
    return not models.reproduce(console, _stack(arguments, console), arguments.model, arguments.version)


def _sql(arguments: argparse.Namespace, console: Console) -> bool:
    stack = _stack(arguments, console)
    stack.ensure(("postgres",))
    Postgres.of(stack.state).prepare_warehouse()
    sql.show(console, conninfo(stack.warehouse_uri), arguments.query)
    return False


def _adopt(arguments: argparse.Namespace, console: Console) -> bool:
    before, after, left = adopt(arguments.file)
    lines = (before.splitlines(keepends=True), after.splitlines(keepends=True))
    for line in unified_diff(*lines, "before", "after", n=0):
        console.print(line.rstrip("\n"), markup=False, highlight=False)
    if before == after:
        console.print(f"{arguments.file}: nothing could be replaced", markup=False)
    for finding in left:
        console.print(f"{arguments.file}, {finding}", markup=False, highlight=False)
    console.print(f"left to do by hand: {len(left)}" if left else "nothing is left: `make run DAG=…`, then `make gate`")
    return bool(left)


def _roll_back(arguments: argparse.Namespace, console: Console) -> bool:
    return not models.roll_back(console, _stack(arguments, console), arguments.model)


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
        try:
            with connect(connection_uri(connection)) as session:
                require_migrated(session)
        except NotMigratedError as error:
            raise StackError(f"{POSTGRES.conn_id}: {error} Here, `make migrate` does.") from error
        except psycopg.Error as error:
            raise StackError(f"{POSTGRES.conn_id}: {str(error).strip()}") from error


def _up(arguments: argparse.Namespace, console: Console) -> int:
    state = State.open()
    upstream = Upstream.from_environment()
    up_record = state.services / "up.json"
    other = Record.read(up_record)
    if other and other.process():
        raise StackError(f"the stack is already running (process {other.pid}): {local_url(state, 'api')}")
    stack = _stack(arguments, console, upstream, schedule=True, loads=True)
    for signum in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(signum, signal.default_int_handler)
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
                stack.require_running(stack.services)
            time.sleep(2)
    except KeyboardInterrupt:
        return 0
    finally:
        stopping.set()
        up_record.unlink(missing_ok=True)
        console.print(f"stopped: {', '.join(stack.stop())}")


def _fill(stack: Stack) -> Fill:
    return Fill(Airflow.of(stack.state), stack.dags, stack.say)


def _migrate(arguments: argparse.Namespace, console: Console) -> int:
    uri = given = os.environ.get("WAREHOUSE_URI", "")
    if not given:
        stack = _stack(arguments, console)
        stack.ensure(["postgres"])
        Postgres.of(stack.state).prepare_warehouse()
        uri = stack.warehouse_uri
    try:
        version = migrate(uri)
    except psycopg.Error as error:
        raise StackError(f"{'WAREHOUSE_URI' if given else POSTGRES.conn_id}: {str(error).strip()}") from error
    console.print(f"the warehouse's own tables are at version {version}")
    return 0


def _status(_: argparse.Namespace, console: Console) -> int:
    state = State.open(for_use=False)
    table = Table(title=f"Embedded stack in {state.root}", title_justify="left")
    for heading in ("service", "state", "ports", "log"):
        table.add_column(heading, overflow="fold")
    for service in Stack(state).status():
        running = f"[green]running[/] ({service.pid})" if service.pid else "stopped"
        ports = ", ".join(f"{name} {port}" for name, port in service.ports.items())
        table.add_row(service.name, running, ports, Path(service.log).name)
    console.print(table)
    console.print(f"logs: {state.logs}   idle since {time.time() - state.last_used.stat().st_mtime:.0f} s")
    return 0


def _down(_: argparse.Namespace, console: Console) -> int:
    stopped = Stack(State.open(for_use=False)).stop()
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def _clean(arguments: argparse.Namespace, console: Console) -> int:
    _down(arguments, console)
    state = State.open(for_use=False)
    Postgres(state.root / "postgres", port=0, password="").remove()
    shutil.rmtree(state.root)
    console.print(f"removed {state.root}")
    return 0


def _keep(state: State) -> None:
    """Start the keeper, which stops an idle stack, unless it is running; delayed, so as not to slow the start."""
    record = state.services / "keeper.json"
    keeper = Record.read(record)
    if not keeper or not keeper.process():
        command = ["/bin/sh", "-c", 'sleep 20; exec "$@"', "sh", sys.executable, "-m", "devstack.keeper"]
        Record.of(spawn(command, state.logs / "keeper.log", process_environment(), REPOSITORY), "").write(record)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid date; use YYYY-MM-DD, such as 2024-06-01") from None


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(Kind)}") from None


def _conf(text: str) -> dict[str, Any]:
    try:
        conf = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(conf, dict):
        raise argparse.ArgumentTypeError(f'expected a JSON object such as {{"key": 1}}, got {text}')
    return conf


if __name__ == "__main__":
    sys.exit(main())
