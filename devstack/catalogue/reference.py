"""Renders docs/reference.md: environment keys, connections, pools, queues and metrics, as they are declared."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from devstack.catalogue.markdown import cell, code, link, table
from devstack.state import REPOSITORY
from include.settings import CONNECTIONS, ENVIRONMENT, POOLS, QUEUES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from devstack.catalogue.facts import Facts

PAGE = REPOSITORY / "docs" / "reference.md"
HEAD = """# Reference

Generated from the declarations by `make fix`; the gate fails when this page is out of date.
See also the warehouse's tables in [datasets.md](datasets.md), the DAGs in [DAGS.md](DAGS.md) and the targets of `make`
in [commands.md](commands.md).
"""
ENVIRONMENT_HEAD = """## Environment

Keys that DAGs and their policies read, from the environment or from `.env`. An empty value means the default.
`.env.example` has those of the Compose stack too.
"""
CONNECTIONS_HEAD = """## Connections

`AIRFLOW_CONN_<ID>` in the environment takes precedence over the metadata database. A DAG whose optional
connection is missing skips what needs it.
"""
METRICS_HEAD = """## Metrics

Those of the exporter and the model server, by their names in Prometheus. [monitoring.md](monitoring.md) describes those
that Airflow sends, and the alerts.
"""
FAMILIES = {"GaugeMetricFamily": "gauge", "CounterMetricFamily": "counter"}


def page(dags: Sequence[Facts]) -> str:
    """Return the page's text, which ends with a line feed."""

    def used_by(held: Callable[[Facts], Iterable[str]], name: str) -> str:
        return ", ".join(link(dag.dag_id) for dag in dags if name in held(dag))

    lines = [HEAD, ENVIRONMENT_HEAD]
    lines += table(
        ("key", "default", "in `make run`", "meaning"),
        ((code(key.name), _default(key.default), code(key.embedded), cell(key.doc)) for key in ENVIRONMENT),
    )
    lines += ["", CONNECTIONS_HEAD]
    lines += table(
        ("connection", "type", "must exist", "what", "used by"),
        (
            (
                code(connection.conn_id),
                connection.conn_type,
                "" if connection.optional else "yes",
                cell(connection.doc),
                used_by(lambda dag: dag.connections, connection.conn_id),
            )
            for connection in CONNECTIONS
        ),
    )
    lines += ["", "## Pools", ""]
    lines += table(
        ("pool", "slots", "what", "used by"),
        (
            (
                code(pool.name),
                str(pool.slots),
                cell(pool.doc),
                "" if pool.name == "default_pool" else used_by(lambda dag: dag.pools, pool.name),
            )
            for pool in POOLS
        ),
    )
    lines += ["", "## Queues", ""]
    lines += table(
        ("queue", "what", "used by"),
        (
            (
                code(queue.name),
                cell(queue.doc),
                "" if queue.name == "default" else used_by(lambda dag: dag.queues, queue.name),
            )
            for queue in QUEUES
        ),
    )
    lines += ["", METRICS_HEAD]
    lines += table(("metric", "type", "labels", "what"), sorted(_metrics()))
    return "\n".join(lines) + "\n"


def _default(value: str) -> str:
    """Return a default; a path of this machine as what it is everywhere."""
    repository = str(REPOSITORY)
    if repository in value:
        return code(value.removeprefix("file://").removeprefix(repository).lstrip("/"))
    if value.startswith("file:"):
        return "`storage` in `AIRFLOW_HOME`"
    return code(value)


def _metrics() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, labels and meaning of each metric that code below ``include`` declares.

    Raises:
        ValueError: if a declaration isn't literal.
    """
    for path in sorted((REPOSITORY / "include").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not any(family in text for family in FAMILIES):
            continue
        for call in ast.walk(ast.parse(text)):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in FAMILIES:
                try:
                    name, doc = (ast.literal_eval(argument) for argument in call.args)
                    labels = [ast.literal_eval(word.value) for word in call.keywords if word.arg == "labels"]
                except ValueError as error:
                    where = f"{path.relative_to(REPOSITORY)}:{call.lineno}"
                    raise ValueError(f"{where}: write a metric's name, meaning and labels as literals") from error
                kind = FAMILIES[call.func.id]
                suffix = "_total" if kind == "counter" else ""
                yield code(f"{name}{suffix}"), kind, ", ".join(map(code, *labels)) if labels else "", cell(doc)
