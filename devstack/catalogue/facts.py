"""What the catalogue says of one DAG."""

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
        kinds: of :data:`KINDS`, those in which it may be run.
        owners: who owns its tasks.
        tags: as declared.
        assets_in: that start it.
        assets_read: that its tasks read, besides.
        assets_out: that its tasks publish.
        params: name and description.
        pools: name, and slots that a task takes at most.
        queues: names.
        connections: ids.
        tasks: task id, and whether it is mapped.
        edges: task id, and the one that follows.
        groups: task id, and the task groups that it lies in, from the outermost.
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
