"""``python -m devstack.catalogue.extract FOLDER``: print the facts of a folder's DAGs as JSON.

Runs in its own process with a clean environment, so that the result doesn't depend on the machine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from devstack.catalogue.facts import KINDS, Facts
from include.core import connection_use
from include.house_rules import NOTE_TAG, documentation_of
from include.ops.alerts.runbooks import runbook_of

if TYPE_CHECKING:
    from airflow.sdk import DAG

RUN_TYPES = {"asset": "asset_triggered"}


def facts_of(dag: DAG, folder: Path) -> Facts:
    """Return the facts of a parsed DAG."""
    timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable
    condition = timetable.asset_condition.as_expression()
    tasks = sorted(dag.tasks, key=lambda task: task.task_id)
    pools: dict[str, int] = {}
    for task in tasks:
        pools[task.pool] = max(pools.get(task.pool, 0), task.pool_slots)
    path = Path(dag.fileloc)
    return Facts(
        dag_id=dag.dag_id,
        file=path.relative_to(folder).as_posix(),
        runbook=runbook_of(documentation_of(dag)),
        summary=" ".join(documentation_of(dag).split("\n\n")[0].split()),
        schedule=_schedule(timetable, condition),
        kinds=_kinds(dag, timetable, condition),
        owners=sorted({task.owner for task in tasks}),
        tags=sorted(set(dag.tags) - {NOTE_TAG}),
        assets_in=(started_by := sorted(set(_assets(condition)))),
        assets_read=sorted({inlet.name for task in tasks for inlet in task.inlets} - set(started_by)),
        assets_out=sorted({outlet.name for task in tasks for outlet in task.outlets if hasattr(outlet, "name")}),
        params={name: dag.params.get_param(name).description or "" for name in sorted(dag.params)},
        pools=dict(sorted(pools.items())),
        queues=sorted({task.queue for task in tasks}),
        connections=sorted({conn_id for task in tasks for conn_id in connection_use.held(task)} | _named(path)),
        tasks={task.task_id: bool(task.is_mapped) for task in tasks},
        edges=sorted((task.task_id, after) for task in tasks for after in task.downstream_task_ids),
        groups={task.task_id: groups for task in tasks if (groups := list(_groups(task)))},
    )


def _named(path: Path) -> set[str]:
    return set(connection_use.named(str(path)))


def _groups(task: Any) -> Iterator[str]:
    group, names = task.task_group, []
    while group is not None and group.group_id:
        names.append(str(group.group_id))
        group = group.task_group if hasattr(group, "task_group") else group.parent_group
    return reversed(names)


def _schedule(timetable: Any, condition: Any) -> str:
    if not condition and not timetable.can_be_scheduled:
        return "Manual"
    words = str(timetable.description or timetable.summary)
    zone = getattr(timetable, "_timezone", None)
    if zone is not None and zone.name not in words:
        words = f"{words} {zone.name}"
    if not condition:
        return words
    return words.replace("Triggered by assets", f"When {_condition(condition)} is published", 1)


def _condition(expression: dict[str, Any]) -> str:
    [(kind, content)] = expression.items()
    if kind in {"any", "all"}:
        parts = [_condition(item) for item in content]
        return f" {'or' if kind == 'any' else 'and'} ".join(
            f"({part})" if " or " in part and kind == "all" else part for part in parts
        )
    return f"`{_name(content)}`"


def _assets(expression: Any) -> Iterator[str]:
    for kind, content in (expression or {}).items():
        if kind in {"any", "all"}:
            for item in content:
                yield from _assets(item)
        else:
            yield _name(content)


def _name(content: Any) -> str:
    return str(content.get("name") or content.get("uri")) if isinstance(content, dict) else str(content)


def _kinds(dag: DAG, timetable: Any, condition: Any) -> list[str]:
    supported = {
        "manual": True,
        "scheduled": timetable.can_be_scheduled and timetable.periodic,
        "backfill": timetable.can_be_scheduled and timetable.periodic,
        "asset": bool(condition),
    }
    allowed = dag.allowed_run_types
    types = None if allowed is None else {str(getattr(item, "value", item)) for item in allowed}
    return [kind for kind in KINDS if supported[kind] and (types is None or RUN_TYPES.get(kind, kind) in types)]


def main() -> None:
    """Print the ``facts`` of all DAGs that load, by id, and the ``errors`` of the files that don't."""
    folder = Path(sys.argv[1]).resolve()
    bag = DagBag(dag_folder=str(folder))
    facts = {dag_id: asdict(facts_of(dag, folder)) for dag_id, dag in sorted(bag.dags.items())}
    errors = {Path(file).relative_to(folder).as_posix(): error for file, error in bag.import_errors.items()}
    print(json.dumps({"facts": facts, "errors": errors}))


if __name__ == "__main__":
    main()
