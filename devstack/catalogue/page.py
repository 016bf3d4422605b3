"""Renders the page: a table of all DAGs, their links by assets, and a section for each with its graph."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from devstack.catalogue.markdown import cell
from devstack.state import REPOSITORY
from include.datasets import DATASETS
from include.settings import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from devstack.catalogue.facts import Facts

PAGE = REPOSITORY / "docs" / "DAGS.md"
HEAD = """# DAGs

Generated from the DAGs by `make fix`; the gate fails when this page is out of date.
"""


def page(dags: Sequence[Facts]) -> str:
    """Return the page's text, which ends with a line feed."""
    lines = [HEAD, "| DAG | when | owner | what |", "| --- | --- | --- | --- |"]
    lines += [
        f"| [{dag.dag_id}](#{dag.dag_id}) | {dag.schedule} | {', '.join(dag.owners)} | {cell(dag.summary)} |"
        for dag in dags
    ]
    if joined := list(_joined(dags)):
        lines += ["", "## Asset dependencies", "", "```mermaid", "flowchart LR", *joined, "```"]
    for dag in dags:
        lines += ["", *_section(dag)]
    return "\n".join(lines) + "\n"


def _joined(dags: Sequence[Facts]) -> Iterator[str]:
    read = {asset for dag in dags for asset in (*dag.assets_in, *dag.assets_read)}
    for dag in dags:
        yield from (f"    {dag.dag_id} --> asset_{_id(asset)}([{asset}])" for asset in dag.assets_out if asset in read)
        yield from (f"    asset_{_id(asset)}([{asset}]) --> {dag.dag_id}" for asset in dag.assets_in)
        yield from (f"    asset_{_id(asset)}([{asset}]) -.-> {dag.dag_id}" for asset in dag.assets_read)


def _section(dag: Facts) -> Iterator[str]:
    names = {connection.conn_id: connection.doc for connection in CONNECTIONS}
    yield from (f"## {dag.dag_id}", "", dag.summary, "")
    yield from ("| | |", "| --- | --- |")
    yield f"| when | {dag.schedule} |"
    yield f"| may be run as | {', '.join(dag.kinds)} |"
    yield f"| file | [dags/{dag.file}](../dags/{dag.file}) |"
    if dag.runbook:
        yield f"| runbook | [{dag.runbook}](runbooks/{dag.runbook}) |"
    yield f"| owner | {', '.join(dag.owners)} |"
    yield f"| tags | {', '.join(dag.tags)} |"
    yield from _row("assets in", (f"`{asset}`" for asset in dag.assets_in))
    yield from _row("assets read", (f"`{asset}`" for asset in dag.assets_read))
    yield from _row("assets out", map(_published, dag.assets_out))
    yield from _row("params", (f"`{name}`: {cell(text)}" for name, text in dag.params.items()))
    yield from _row("pools", (f"`{pool}`" + (f", {n} slots" if n > 1 else "") for pool, n in dag.pools.items()))
    yield from _row("queues", (f"`{queue}`" for queue in dag.queues))
    yield from _row("connections", (f"`{name}`: {cell(names.get(name, ''))}" for name in dag.connections))
    yield from ("", "```mermaid", "flowchart LR", *_graph(dag), "```")


def _row(name: str, values: Iterable[str]) -> Iterator[str]:
    if text := "<br>".join(values):
        yield f"| {name} | {text} |"


def _graph(dag: Facts) -> Iterator[str]:
    """Yield the tasks, grouped in frames and mapped ones with a double border, then the edges."""
    ids = {task_id: f"t{number}" for number, task_id in enumerate(dag.tasks)}
    yield from _frame(dag, ids, [], "    ")
    yield from (f"    {ids[before]} --> {ids[after]}" for before, after in dag.edges)


def _frame(dag: Facts, ids: dict[str, str], inside: list[str], indent: str) -> Iterator[str]:
    depth = len(inside)
    members = [task_id for task_id in dag.tasks if dag.groups.get(task_id, [])[:depth] == inside]
    for task_id in members:
        if len(dag.groups.get(task_id, [])) == depth:
            label = task_id.removeprefix(f"{inside[-1]}." if inside else "")
            yield f"{indent}{ids[task_id]}[[{label}]]" if dag.tasks[task_id] else f"{indent}{ids[task_id]}[{label}]"
    deeper = {dag.groups[task_id][depth] for task_id in members if len(dag.groups.get(task_id, [])) > depth}
    for group in sorted(deeper):
        yield f"{indent}subgraph g_{_id(group)}[{group}]"
        yield from _frame(dag, ids, [*inside, group], f"{indent}    ")
        yield f"{indent}end"


def _published(asset: str) -> str:
    """Return an asset's name, with the ``freshness`` of a table that has one."""
    limits = {dataset.name: dataset.freshness for dataset in DATASETS if dataset.freshness is not None}
    hours = f", stale after {limits[asset] / timedelta(hours=1):g} h" if asset in limits else ""
    return f"`{asset}`{hours}"


def _id(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text)
