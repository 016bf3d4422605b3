"""The facts that the catalogue lists for one DAG."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("manual", "scheduled", "backfill", "asset")


@dataclass(frozen=True)
class Facts:
    """One DAG.

    Attributes:
        dag_id: its id.
        file: its file, below the folder.
        runbook: name of the page in ``docs/runbooks``; empty if there is none.
        summary: the first paragraph of its documentation.
        schedule: when it runs, in words.
        kinds: run types of :data:`KINDS` that it allows.
        owners: owners of its tasks.
        tags: as declared.
        assets_in: assets that it is scheduled on.
        assets_read: further assets that its tasks read.
        assets_out: assets that its tasks publish.
        params: name and description.
        pools: name, and the most slots that one task takes.
        queues: names.
        connections: ids.
        tasks: task id, and whether it is mapped.
        edges: task id, and the id of a downstream task.
        groups: task id, and its task groups, from the outermost.
    """

    dag_id: str
    file: str
    runbook: str
    summary: str
    schedule: str
    kinds: list[str]
    owners: list[str]
    tags: list[str]
    assets_in: list[str]
    assets_read: list[str]
    assets_out: list[str]
    params: dict[str, str]
    pools: dict[str, int]
    queues: list[str]
    connections: list[str]
    tasks: dict[str, bool]
    edges: list[tuple[str, str]]
    groups: dict[str, list[str]]
