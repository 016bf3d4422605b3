"""The rules for every DAG of this repository; the docstring of each rule is its rationale.

The gate enforces all rules. In development, a DAG that breaks one still runs, with a note; if ``SPELLBOOK_STRICT`` is
set, a DAG that breaks a rule of :data:`STRICT` is refused when it is parsed.

Every Airflow process imports this module through the cluster policies: keep it free of heavy imports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.core import connection_use
from include.core.json_limits import LARGEST, SMALLEST, is_in_range
from include.core.tags import Tag
from include.ops.alerts.runbooks import runbooks_in
from include.ops.alerts.wording import advice_of
from include.settings import CONNECTIONS, POOLS, QUEUES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow.sdk import DAG

    Rule = Callable[[DAG], Iterator["Problem"]]

AIRFLOW_DEFAULT_OWNER = "airflow"
DECLARE = "or declare it in include/core/settings.py or the settings.py of its domain"
LISTED = 5
NOTE_HEADING = "## What the gate will ask for"
NOTE_TAG = "refused by the gate"
LIMITS = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
RUNBOOKS = Path(__file__).parent.parent / "docs" / "runbooks"


@dataclass(frozen=True)
class Problem:
    """What breaks a rule, and what to do.

    Attributes:
        message: what is wrong.
        fix: what to write instead.
        task: id of the task that breaks it; empty if the DAG does.
        argument: the argument of the task or DAG to correct; ``name.key`` if it is in a dictionary.
        text: the text to correct, if it is no argument.
        line: the line, if it is known.
    """

    message: str
    fix: str
    task: str = ""
    argument: str = ""
    text: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.message}; {self.fix}"


def owner(dag: DAG) -> Iterator[Problem]:
    """Alerts name the owner to contact when a task fails."""
    if ownerless := sorted(task.task_id for task in dag.tasks if task.owner in {"", AIRFLOW_DEFAULT_OWNER}):
        yield Problem(
            f"no owner on task {_listed(ownerless)}",
            "pass default_args={'owner': '<team>'} to the DAG",
            argument="default_args",
        )


def tags(dag: DAG) -> Iterator[Problem]:
    """The DAG can be found by filters in the UI; a misspelt tag would hide it."""
    allowed = f"allowed: {', '.join(Tag)}; add a new one to include/core/tags.py"
    own = set(dag.tags) - {NOTE_TAG}
    if not own:
        yield Problem("no tags", f"pass tags=[Tag.…]; {allowed}", argument="tags")
    for tag in sorted(own - set(Tag)):
        yield Problem(f"tag {tag!r} is unknown", allowed, argument="tags")


def documentation(dag: DAG) -> Iterator[Problem]:
    """The DAG's purpose is clear to somebody who has never seen it."""
    if not documentation_of(dag):
        yield Problem(
            "no doc_md",
            "write the module's docstring, with '## On failure' and what to do, and pass doc_md=__doc__",
            argument="doc_md",
        )


def advice(dag: DAG) -> Iterator[Problem]:
    """Alerts quote the advice for when the DAG fails."""
    if (doc := documentation_of(dag)) and not advice_of(doc):
        yield Problem(
            "doc_md has no heading 'On failure' with text",
            "add '## On failure' and what to do to the docstring",
            argument="doc_md",
        )


def runbook(dag: DAG) -> Iterator[Problem]:
    """The runbook that an alert links to exists."""
    if not RUNBOOKS.is_dir():  # containers that run the DAG have no docs
        return
    for name in runbooks_in(documentation_of(dag)):
        if not (RUNBOOKS / name).is_file():
            yield Problem(
                f"doc_md links to docs/runbooks/{name}, which doesn't exist",
                "write it, or remove the link",
                text=f"docs/runbooks/{name}",
            )


def constant(dag: DAG) -> Iterator[Problem]:
    """Airflow stores a new version of the DAG at each parse with a different result."""
    if unstable := _instability(dag.fileloc):
        line = re.search(r"\bLine (\d+)", unstable)
        yield Problem(
            unstable.strip(),
            "use a fixed value here; take the run's time from its data interval",
            line=int(line[1]) if line else None,
        )


def not_empty(dag: DAG) -> Iterator[Problem]:
    """A DAG without tasks succeeds and does nothing."""
    if not dag.tasks:
        yield Problem("no tasks", "call the decorated functions in the DAG's body")


def retries(dag: DAG) -> Iterator[Problem]:
    """A lost worker or a restarting server must not cause an alert."""
    if without := sorted(task.task_id for task in dag.tasks if (task.retries or 0) < 1):
        yield Problem(
            f"task {_listed(without)}: retries=0",
            "omit it (airflow.cfg sets 3) or pass 1 or more",
            task=without[0],
            argument="retries",
        )


def timeouts(dag: DAG) -> Iterator[Problem]:
    """A task that hangs occupies its slot and blocks later runs of its DAG forever."""
    if without := sorted(task.task_id for task in dag.tasks if _may_hang(task)):
        yield Problem(
            f"task {_listed(without)}: no execution_timeout",
            "omit it (airflow.cfg sets one) or pass a timedelta",
            task=without[0],
            argument="execution_timeout",
        )


def _may_hang(task: Any) -> bool:
    """Tell whether a task has no timeout; a mapped task that sets none gets the default when it is expanded."""
    return task.execution_timeout is None and "execution_timeout" in getattr(
        task, "partial_kwargs", ["execution_timeout"]
    )


def deadlines(dag: DAG) -> Iterator[Problem]:
    """The triggerer runs a deadline's callback and can't import a DAG file."""
    from airflow.sdk.definitions.callback import AsyncCallback

    own = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline] if dag.deadline else []
    for callback in (deadline.callback for deadline in own):
        if isinstance(callback, AsyncCallback) and callback.path.startswith("unusual_prefix_"):
            name = callback.path.rpartition(".")[2]
            yield Problem(
                f"the deadline's callback {name} is in the DAG file", "move it into include/", argument="deadline"
            )


def pools(dag: DAG) -> Iterator[Problem]:
    """A task in a pool that doesn't exist, or that needs more slots than the pool has, is never started."""
    slots = {pool.name: pool.slots for pool in POOLS}
    for task in dag.tasks:
        if task.pool not in slots:
            yield Problem(
                f"task {task.task_id}: unknown pool {task.pool!r}",
                f"use one of {', '.join(slots)}, {DECLARE}",
                task=task.task_id,
                argument="pool",
            )
        elif task.pool_slots > slots[task.pool]:
            yield Problem(
                f"task {task.task_id}: pool_slots={task.pool_slots}, but the pool has {slots[task.pool]}",
                "use fewer",
                task=task.task_id,
                argument="pool_slots",
            )


def queues(dag: DAG) -> Iterator[Problem]:
    """A task in a queue that no worker serves waits forever."""
    declared = [queue.name for queue in QUEUES]
    for task in dag.tasks:
        if task.queue not in declared:
            yield Problem(
                f"task {task.task_id}: unknown queue {task.queue!r}",
                f"use one of {', '.join(declared)}, {DECLARE}",
                task=task.task_id,
                argument="queue",
            )


def connections(dag: DAG) -> Iterator[Problem]:
    """Every environment creates the declared connections only."""
    declared = [connection.conn_id for connection in CONNECTIONS]
    lines = connection_use.named(dag.fileloc)
    holders = {conn_id: task.task_id for task in dag.tasks for conn_id in connection_use.held(task)}
    for conn_id in sorted({*lines, *holders} - set(declared)):
        task_id, line = holders.get(conn_id, ""), lines.get(conn_id)
        yield Problem(
            f"{f'task {task_id}' if task_id else f'line {line}'}: unknown connection {conn_id!r}",
            f"use one of {', '.join(declared)}, {DECLARE}",
            task=task_id,
            line=line,
        )


def params(dag: DAG) -> Iterator[Problem]:
    """A number without limits can be any number, and overflows in the middle of a run."""
    for name, param in dag.params.items():
        is_number = isinstance(param.value, int | float) and not isinstance(param.value, bool)
        schema = ({"type": "number"} if is_number else {}) | param.schema
        for place in _numbers_without_limits(schema, name):
            yield Problem(
                f"param {place}: a number without minimum and maximum",
                f"pass both, from {SMALLEST} to {LARGEST}",
                argument=f"params.{name}",
            )


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
        params,
    )
}


def broken_rules(dag: DAG, rules: Iterable[Rule]) -> list[str]:
    """Return a line for each rule that the DAG breaks, and how to fix it."""
    return [str(problem) for rule in rules for problem in rule(dag)]


def leave_note(dag: DAG) -> None:
    """Show broken rules in the web UI: as a note below the DAG's documentation, and as a tag.

    A DAG that breaks no rule or already has a note is unchanged.
    """
    if NOTE_TAG in dag.tags or not (problems := broken_rules(dag, RULES.values())):
        return
    lines = "\n".join(f"- {problem}" for problem in problems)
    note = f"{NOTE_HEADING}\n\nThe DAG runs here. `make gate` refuses it until this is added:\n\n{lines}\n"
    dag.doc_md = "\n\n".join(filter(None, (documentation_of(dag), note)))
    dag.tags = {*dag.tags, NOTE_TAG}


def documentation_of(dag: DAG) -> str:
    """Return the DAG's documentation without the note."""
    return (dag.doc_md or "").partition(NOTE_HEADING)[0].strip()


def note_in(doc: str | None) -> str:
    """Return the note in a stored DAG's doc_md, without the heading's ``##``; empty if there is none."""
    _, heading, note = (doc or "").partition(NOTE_HEADING)
    return f"{heading.lstrip('# ')}{note}".strip()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _numbers_without_limits(schema: Any, place: str) -> Iterator[str]:
    """Yield each place in a JSON schema that allows a number without limits of 64 bits."""
    if isinstance(schema, list):
        for inner in schema:
            yield from _numbers_without_limits(inner, place)
    if not isinstance(schema, dict):
        return
    declared = schema.get("type")
    kinds = {declared} if isinstance(declared, str) else set(declared) if isinstance(declared, list) else set()
    is_limited = "enum" in schema or all(_is_limit(schema, limit) for limit in LIMITS)
    if kinds & {"integer", "number"} and not is_limited:
        yield place
    for name, inner in schema.items():
        if name not in {"enum", "const", "default", "examples"}:
            yield from _numbers_without_limits(inner, f"{place}.{name}")


def _is_limit(schema: dict[str, Any], names: Iterable[str]) -> bool:
    return any(isinstance(schema.get(name), int | float) and is_in_range(schema[name]) for name in names)


@cache
def _instability(path: str) -> str | None:
    from airflow.utils.dag_version_inflation_checker import check_dag_file_stability

    return check_dag_file_stability(path).format_warnings() if Path(path).is_file() else None
