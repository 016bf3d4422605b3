"""What every DAG must have: each rule takes a parsed DAG and yields its problems, each with how to mend it.

Owner, tags and doc_md are refused at parse by the cluster policy, so a DAG that arrives here has them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from include import connection_use
from include.settings import CONNECTIONS, POOLS, QUEUES
from tests.gate import source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import DAG

DOC_HEADINGS = ("what", "inputs", "outputs", "on failure")
DECLARE = "or declare it in include/settings.py"


def documentation(dag: DAG) -> Iterator[str]:
    """doc_md has the headings that somebody on call looks for."""
    found = [
        heading.lower().replace("-", " ") for heading in re.findall(r"^#+\s*(.+?)\s*$", dag.doc_md or "", re.MULTILINE)
    ]
    for wanted in DOC_HEADINGS:
        if not any(heading.startswith(wanted) for heading in found):
            yield f"doc_md has no heading {wanted!r}: add a line '## {wanted.capitalize()}' to the module's docstring"


def schedule(dag: DAG) -> Iterator[str]:
    """The schedule is said, since Airflow's own default is None, never."""
    if dag.schedule is None and not source.says_schedule(dag.fileloc):
        yield "no schedule: pass schedule=…, or schedule=None if it is only triggered by hand"


def start_date(dag: DAG) -> Iterator[str]:
    """A start date stands; that it is a fixed one follows from the file's stability."""
    if dag.start_date is None:
        yield "no start_date: pass a fixed one, start_date=pendulum.datetime(2024, 1, 1, tz='UTC')"


def not_empty(dag: DAG) -> Iterator[str]:
    """A DAG without tasks does nothing, and every rule about tasks would pass."""
    if not dag.tasks:
        yield "no tasks: call the decorated functions in the DAG's body"


def retries(dag: DAG) -> Iterator[str]:
    """Each task is tried again at least once, with growing delays."""
    for task in dag.tasks:
        if (task.retries or 0) < 1:
            yield f"task {task.task_id}: retries={task.retries}; leave it out (airflow.cfg gives 3) or pass 1 or more"
        if task.retry_exponential_backoff < 1:
            yield f"task {task.task_id}: retry_exponential_backoff={task.retry_exponential_backoff}; pass 1.0 or more"


def timeouts(dag: DAG) -> Iterator[str]:
    """No task may hang for ever."""
    for task in dag.tasks:
        if task.execution_timeout is None:
            yield f"task {task.task_id}: no execution_timeout; leave it out (airflow.cfg gives one) or pass a timedelta"


def callbacks(dag: DAG) -> Iterator[str]:
    """Each task alerts on failure, by a function that every process can import."""
    for task in dag.tasks:
        listed = task.on_failure_callback
        found = list(listed) if isinstance(listed, (list, tuple)) else [listed] if listed else []
        if not found:
            yield f"task {task.task_id}: no on_failure_callback; leave it out, the cluster policy gives one"
        for callback in found:
            module = getattr(callback, "__module__", "")
            if module.startswith("unusual_prefix_"):
                yield f"task {task.task_id}: its failure callback stands in the DAG file; move it into include/alerts"


def pools(dag: DAG) -> Iterator[str]:
    """Pools are declared, and no task asks for more slots than its pool has."""
    slots = {pool.name: pool.slots for pool in POOLS}
    for task in dag.tasks:
        if task.pool not in slots:
            yield f"task {task.task_id}: unknown pool {task.pool!r}; use one of {', '.join(slots)}, {DECLARE}"
        elif task.pool_slots > slots[task.pool]:
            yield f"task {task.task_id}: pool_slots={task.pool_slots}, but there are {slots[task.pool]}; ask for less"


def queues(dag: DAG) -> Iterator[str]:
    """Queues are declared: a task in a queue that no worker serves waits for ever."""
    declared = [queue.name for queue in QUEUES]
    for task in dag.tasks:
        if task.queue not in declared:
            yield f"task {task.task_id}: unknown queue {task.queue!r}; use one of {', '.join(declared)}, {DECLARE}"


def connections(dag: DAG) -> Iterator[str]:
    """Connections are declared, whether an operator holds their id or the source names it."""
    declared = [connection.conn_id for connection in CONNECTIONS]
    used = {conn_id: f"line {line}" for conn_id, line in connection_use.named(dag.fileloc).items()}
    for task in dag.tasks:
        used |= dict.fromkeys(connection_use.held(task), f"task {task.task_id}")
    for conn_id, where in sorted(used.items()):
        if conn_id not in declared:
            yield f"{where}: unknown connection {conn_id!r}; use one of {', '.join(declared)}, {DECLARE}"


RULES: dict[str, Callable[[DAG], Iterator[str]]] = {
    rule.__name__: rule
    for rule in (
        documentation,
        schedule,
        start_date,
        not_empty,
        retries,
        timeouts,
        callbacks,
        pools,
        queues,
        connections,
    )
}
