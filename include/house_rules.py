"""What every DAG of this repository must have, each rule with its reason and the way to meet it.

The gate asks for all of it. In development, a DAG that lacks something runs all the same, with a note; where
``SPELLBOOK_STRICT`` is set, one that breaks a rule of :data:`STRICT` is refused when it is parsed.

Every Airflow process imports this module through the cluster policies: keep it free of heavy imports.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from include.core import connection_use
from include.core.tags import Tag
from include.ops.alerts.runbooks import runbooks_in
from include.ops.alerts.wording import advice_of
from include.settings import CONNECTIONS, POOLS, QUEUES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow.sdk import DAG

    Rule = Callable[[DAG], Iterator[str]]

AIRFLOW_DEFAULT_OWNER = "airflow"
DECLARE = "or declare it in include/core/settings.py or the settings.py of its domain"
LISTED = 5
NOTE_HEADING = "## What the gate will ask for"
NOTE_TAG = "refused by the gate"
RUNBOOKS = Path(__file__).parent.parent / "docs" / "runbooks"


def owner(dag: DAG) -> Iterator[str]:
    """Somebody is asked when a task fails: alerts name the owner."""
    if ownerless := sorted(task.task_id for task in dag.tasks if task.owner in {"", AIRFLOW_DEFAULT_OWNER}):
        yield f"no owner on task {_listed(ownerless)}: pass default_args={{'owner': '<team>'}} to the DAG"


def tags(dag: DAG) -> Iterator[str]:
    """A filter in the UI finds the DAG; a misspelt tag would hide it."""
    allowed = f"allowed are {', '.join(Tag)}; a new one is added to include/core/tags.py"
    own = set(dag.tags) - {NOTE_TAG}
    if not own:
        yield f"no tags: pass tags=[Tag.…]; {allowed}"
    for tag in sorted(own - set(Tag)):
        yield f"tag {tag!r} is unknown: {allowed}"


def documentation(dag: DAG) -> Iterator[str]:
    """Somebody who never saw the DAG learns what it is for."""
    if not documentation_of(dag):
        yield "no doc_md: write the module's docstring and pass doc_md=__doc__"


def advice(dag: DAG) -> Iterator[str]:
    """Alerts quote what to do when the DAG fails."""
    if (doc := documentation_of(dag)) and not advice_of(doc):
        yield "doc_md has no heading 'On failure' with a text: add '## On failure' and what to do to the docstring"


def runbook(dag: DAG) -> Iterator[str]:
    """Whoever an alert sends to a page finds it there."""
    if not RUNBOOKS.is_dir():  # a container that runs the DAG has no docs
        return
    for name in runbooks_in(documentation_of(dag)):
        if not (RUNBOOKS / name).is_file():
            yield f"doc_md links to docs/runbooks/{name}, which doesn't exist: write it, or remove the link"


def constant(dag: DAG) -> Iterator[str]:
    """Airflow stores a new version of the DAG at each parse that gives something else."""
    if unstable := _varying(dag.fileloc):
        yield f"{unstable}\nUse a fixed value here; the run's own time comes from its data interval"


def not_empty(dag: DAG) -> Iterator[str]:
    """A DAG without tasks is green and does nothing."""
    if not dag.tasks:
        yield "no tasks: call the decorated functions in the DAG's body"


def retries(dag: DAG) -> Iterator[str]:
    """A worker that is lost, or a server that restarts, must not wake anybody."""
    if never := sorted(task.task_id for task in dag.tasks if (task.retries or 0) < 1):
        yield f"task {_listed(never)}: retries=0; leave it out (airflow.cfg gives 3) or pass 1 or more"


def timeouts(dag: DAG) -> Iterator[str]:
    """A task that hangs keeps its slot, and its DAG's later runs, waiting for ever."""
    if endless := sorted(task.task_id for task in dag.tasks if task.execution_timeout is None):
        yield f"task {_listed(endless)}: no execution_timeout; leave it out (airflow.cfg gives one) or pass a timedelta"


def deadlines(dag: DAG) -> Iterator[str]:
    """The triggerer runs a deadline's callback and can't import a DAG file."""
    from airflow.sdk.definitions.callback import AsyncCallback

    own = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline] if dag.deadline else []
    for callback in (deadline.callback for deadline in own):
        if isinstance(callback, AsyncCallback) and callback.path.startswith("unusual_prefix_"):
            name = callback.path.rpartition(".")[2]
            yield f"the deadline's callback {name} stands in the DAG file: move it into include/"


def pools(dag: DAG) -> Iterator[str]:
    """A task in a pool that doesn't exist, or that asks for more slots than there are, is never started."""
    slots = {pool.name: pool.slots for pool in POOLS}
    for task in dag.tasks:
        if task.pool not in slots:
            yield f"task {task.task_id}: unknown pool {task.pool!r}; use one of {', '.join(slots)}, {DECLARE}"
        elif task.pool_slots > slots[task.pool]:
            yield f"task {task.task_id}: pool_slots={task.pool_slots}, but there are {slots[task.pool]}; ask for less"


def queues(dag: DAG) -> Iterator[str]:
    """A task in a queue that no worker serves waits for ever."""
    declared = [queue.name for queue in QUEUES]
    for task in dag.tasks:
        if task.queue not in declared:
            yield f"task {task.task_id}: unknown queue {task.queue!r}; use one of {', '.join(declared)}, {DECLARE}"


def connections(dag: DAG) -> Iterator[str]:
    """Every place that the DAG runs in creates the connections that are declared, and no other."""
    declared = [connection.conn_id for connection in CONNECTIONS]
    used = {conn_id: f"line {line}" for conn_id, line in connection_use.named(dag.fileloc).items()}
    for task in dag.tasks:
        used |= dict.fromkeys(connection_use.held(task), f"task {task.task_id}")
    for conn_id, where in sorted(used.items()):
        if conn_id not in declared:
            yield f"{where}: unknown connection {conn_id!r}; use one of {', '.join(declared)}, {DECLARE}"


STRICT: tuple[Rule, ...] = (owner, tags, documentation)
RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        *STRICT,
        advice,
        runbook,
        constant,
        not_empty,
        retries,
        timeouts,
        deadlines,
        pools,
        queues,
        connections,
    )
}


def broken(dag: DAG, rules: Iterable[Rule]) -> list[str]:
    """Return a line for each thing that the DAG lacks, and how to add it."""
    return [problem for rule in rules for problem in rule(dag)]


def leave_note(dag: DAG) -> None:
    """Put what the gate will ask for where the web UI shows it: below the DAG's documentation, and a tag in the list.

    A DAG that lacks nothing stays as it is; so does one that has its note already.
    """
    if NOTE_TAG in dag.tags or not (problems := broken(dag, RULES.values())):
        return
    lines = "\n".join(f"- {problem}" for problem in problems)
    note = f"{NOTE_HEADING}\n\nThe DAG runs here. `make gate` refuses it until this is added:\n\n{lines}\n"
    dag.doc_md = "\n\n".join(filter(None, (documentation_of(dag), note)))
    dag.tags = {*dag.tags, NOTE_TAG}


def documentation_of(dag: DAG) -> str:
    """Return what the DAG's author wrote."""
    return (dag.doc_md or "").partition(NOTE_HEADING)[0].strip()


def note_in(doc: str | None) -> str:
    """Return the note in a stored DAG's doc_md, without its heading's mark; empty if there is none."""
    _, heading, note = (doc or "").partition(NOTE_HEADING)
    return f"{heading.lstrip('# ')}{note}".strip()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


@cache
def _varying(path: str) -> str | None:
    from airflow.utils.dag_version_inflation_checker import check_dag_file_stability

    return check_dag_file_stability(path).format_warnings() if Path(path).is_file() else None
