"""The whole embedded stack, as `make run` starts it, with data that the tests discard."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from email import message_from_bytes, policy
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import jsonschema
import psycopg
import pytest
from rich.console import Console

from devstack.environment import Upstream, local_url
from devstack.exits import Exit
from devstack.postgres import Postgres
from devstack.report import Outcome
from devstack.run import run
from devstack.run_document import Run, describe, document
from devstack.stack import Stack
from devstack.state import REPOSITORY, State
from devstack.trigger import Kind
from devstack.upstreams.client import Control
from devstack.waiting import Activity, wait_for
from include.core import settings
from include.core.storage import url_of
from include.domains.retail import settings as retail
from include.domains.titanic import settings as titanic
from include.domains.wine import settings as wine
from tests.integration.conftest import folder_in_memory

SERVICES = ("postgres", "airflow", "upstreams", "sinks")

SCHEMA = json.loads((REPOSITORY / "docs/run.schema.json").read_text())

T = TypeVar("T")


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running stack, with a copy of the repository's DAGs."""
    with folder_in_memory(tmp_path_factory) as root, started(root, copy_of_the_dags(tmp_path_factory)) as stack:
        yield stack


def copy_of_the_dags(factory: pytest.TempPathFactory) -> Path:
    """Copy the repository's DAG files into a folder that a test may change; return it."""
    return Path(shutil.copytree(REPOSITORY / "dags", factory.mktemp("dags"), dirs_exist_ok=True))


@contextmanager
def started(
    root: Path, dags: Path, overrides: Mapping[str, str] | None = None, *, schedule: bool = False
) -> Iterator[Stack]:
    """Run a stack on the DAG files in ``dags``, with more environment variables of Airflow."""
    state = State.open(root)
    state.port("api")  # not the preferred one, which another stack may take while this one starts
    stack = Stack(state, Upstream.REPLAY, schedule=schedule, durable=False)
    own = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    stack = replace(stack, overrides=_impatient(stack) | own | dict(overrides or {}))
    try:
        stack.ensure(SERVICES)
        yield stack
    finally:
        stack.stop()
        server(stack).remove()


def _impatient(stack: Stack) -> dict[str, str]:
    """Retry tasks after a second, give up calls of the weather API after a few, and train models on little data."""
    weather = json.loads(stack.airflow_environment()["AIRFLOW_CONN_WEATHER_DEFAULT"])
    weather["extra"] = {**weather.get("extra", {}), "deadline": 6}
    return {
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": "2",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        "AIRFLOW_CONN_WEATHER_DEFAULT": json.dumps(weather),
        settings.SERVING_PATIENCE.name: "20",
        titanic.TITANIC_REPEATS.name: "1",
        wine.WINE_CANDIDATES.name: "article_recipe",
        wine.WINES.name: url_of(_few_wines(stack.state.root / "wines")),
        retail.RETAIL_PATIENCE.name: "5",
    }


def _few_wines(folder: Path) -> Path:
    """Write every tenth of the recorded wines."""
    folder.mkdir()
    for file in (REPOSITORY / "include/data/wine_quality").glob("*.csv"):
        header, *wines = file.read_text().splitlines(keepends=True)
        (folder / file.name).write_text("".join([header, *wines[::10]]))
    return folder


def server(stack: Stack) -> Postgres:
    """The stack's database server."""
    return Postgres.of(stack.state, durable=False)


def until(stack: Stack, condition: Callable[[], T], what: str) -> T:
    """Wait until the condition is true, as long as Airflow or one of its tasks is active; return its value."""
    return wait_for(condition, what, progress=Activity([stack.state.services / "airflow.json"]), poll=0.2)


@dataclass(frozen=True)
class RunResult:
    """Whether `make run` succeeded, its output, and its runs as JSON=1 describes them."""

    good: bool
    text: str
    runs: list[Run]


Make = Callable[..., RunResult]


@pytest.fixture
def make_run(stack: Stack) -> Make:
    """`make run` on the shared stack, without the shell."""
    return maker(stack)


def maker(stack: Stack) -> Make:
    """`make run` on ``stack``."""

    def make(
        dag_id: str, day: date | None = None, to: date | None = None, kind: str = "manual", **conf: Any
    ) -> RunResult:
        output = StringIO()
        console = Console(file=output, width=200)
        runs: list[Run] = []

        def finished(outcome: Outcome, ok: bool) -> None:
            runs.extend(describe(outcome, succeeded=ok))

        good = run(console, stack, dag_id, Kind(kind), day, to, conf, finished=finished)
        code = Exit.OK if good else Exit.FAILED
        whole = document(dag_id, Kind(kind), code, stack.upstream, runs, None)
        jsonschema.validate(json.loads(whole.model_dump_json()), SCHEMA)
        return RunResult(good, output.getvalue(), runs)

    return make


@pytest.fixture
def control(stack: Stack) -> Iterator[Control]:
    """The sample upstreams' control, without active scenarios."""
    control = Control(local_url(stack.state, "upstreams"))
    control.reset()
    yield control
    control.reset()


@pytest.fixture(scope="package")
def query(stack: Stack) -> Callable[..., list[tuple[Any, ...]]]:
    """Query the stack's warehouse."""

    def execute(statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(server(stack).uri("warehouse")) as connection:
            return connection.execute(statement, values).fetchall()

    return execute


def newest_mail(stack: Stack) -> tuple[str, str]:
    """Subject and body of the last mail that arrived."""
    path = max((stack.state.root / "alerts" / "mail").glob("*.eml"))
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = message.get_body(("html", "plain"))
    assert body is not None
    return str(message["Subject"]), str(body.get_content())
