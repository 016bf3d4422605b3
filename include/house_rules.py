"""The rules for every DAG of this repository; the docstring of each rule is its rationale.

The gate enforces all rules. In development, a DAG that breaks one still runs, with a note; if ``SPELLBOOK_STRICT`` is
set, a DAG that breaks a rule of :data:`STRICT` is refused when it is parsed.

Every Airflow process imports this module through the cluster policies: keep it free of heavy imports.
"""

from __future__ import annotations

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

    Rule = Callable[[DAG], Iterator[str]]

AIRFLOW_DEFAULT_OWNER = "airflow"
DECLARE = "or declare it in include/core/settings.py or the settings.py of its domain"
LISTED = 5
NOTE_HEADING = "## What the gate will ask for"
NOTE_TAG = "refused by the gate"
LIMITS = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
RUNBOOKS = Path(__file__).parent.parent / "docs" / "runbooks"


def owner(dag: DAG) -> Iterator[str]:
    """Alerts name the owner to contact when a task fails."""
    if ownerless := sorted(task.task_id for task in dag.tasks if task.owner in {"", AIRFLOW_DEFAULT_OWNER}):
        yield f"no owner on task {_listed(ownerless)}: pass default_args={{'owner': '<team>'}} to the DAG"


def tags(dag: DAG) -> Iterator[str]:
    """The DAG can be found by filters in the UI; a misspelt tag would hide it."""
    allowed = f"allowed: {', '.join(Tag)}; add a new one to include/core/tags.py"
    own = set(dag.tags) - {NOTE_TAG}
    if not own:
        yield f"no tags: pass tags=[Tag.…]; {allowed}"
    for tag in sorted(own - set(Tag)):
        yield f"tag {tag!r} is unknown: {allowed}"


def documentation(dag: DAG) -> Iterator[str]:
    """The DAG's purpose is clear to somebody who has never seen it."""
    if not documentation_of(dag):
        yield "no doc_md: write the module's docstring and pass doc_md=__doc__"


def advice(dag: DAG) -> Iterator[str]:
    """Alerts quote the advice for when the DAG fails."""
    if (doc := documentation_of(dag)) and not advice_of(doc):
        yield "doc_md has no heading 'On failure' with text: add '## On failure' and what to do to the docstring"


def runbook(dag: DAG) -> Iterator[str]:
    """The runbook that an alert links to exists."""
    if not RUNBOOKS.is_dir():  # containers that run the DAG have no docs
        return
    for name in runbooks_in(documentation_of(dag)):
        if not (RUNBOOKS / name).is_file():
            yield f"doc_md links to docs/runbooks/{name}, which doesn't exist: write it, or remove the link"


def constant(dag: DAG) -> Iterator[str]:
    """Airflow stores a new version of the DAG at each parse with a different result."""
    if unstable := _instability(dag.fileloc):
        yield f"{unstable}\nUse a fixed value here; take the run's time from its data interval"


def not_empty(dag: DAG) -> Iterator[str]:
    """A DAG without tasks succeeds and does nothing."""
    if not dag.tasks:
        yield "no tasks: call the decorated functions in the DAG's body"


def retries(dag: DAG) -> Iterator[str]:
    """A lost worker or a restarting server must not cause an alert."""
    if without := sorted(task.task_id for task in dag.tasks if (task.retries or 0) < 1):
        yield f"task {_listed(without)}: retries=0; omit it (airflow.cfg sets 3) or pass 1 or more"


def timeouts(dag: DAG) -> Iterator[str]:
    """A task that hangs occupies its slot and blocks later runs of its DAG forever."""
    if without := sorted(task.task_id for task in dag.tasks if task.execution_timeout is None):
        yield f"task {_listed(without)}: no execution_timeout; omit it (airflow.cfg sets one) or pass a timedelta"


def deadlines(dag: DAG) -> Iterator[str]:
    """The triggerer runs a deadline's callback and can't import a DAG file."""
    from airflow.sdk.definitions.callback import AsyncCallback

    own = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline] if dag.deadline else []
    for callback in (deadline.callback for deadline in own):
        if isinstance(callback, AsyncCallback) and callback.path.startswith("unusual_prefix_"):
            name = callback.path.rpartition(".")[2]
            yield f"the deadline's callback {name} is in the DAG file: move it into include/"


def pools(dag: DAG) -> Iterator[str]:
    """A task in a pool that doesn't exist, or that needs more slots than the pool has, is never started."""
    slots = {pool.name: pool.slots for pool in POOLS}
    for task in dag.tasks:
        if task.pool not in slots:
            yield f"task {task.task_id}: unknown pool {task.pool!r}; use one of {', '.join(slots)}, {DECLARE}"
        elif task.pool_slots > slots[task.pool]:
            yield f"task {task.task_id}: pool_slots={task.pool_slots}, but the pool has {slots[task.pool]}; use fewer"


def queues(dag: DAG) -> Iterator[str]:
    """A task in a queue that no worker serves waits forever."""
    declared = [queue.name for queue in QUEUES]
    for task in dag.tasks:
        if task.queue not in declared:
            yield f"task {task.task_id}: unknown queue {task.queue!r}; use one of {', '.join(declared)}, {DECLARE}"


def connections(dag: DAG) -> Iterator[str]:
    """Every environment creates the declared connections only."""
    declared = [connection.conn_id for connection in CONNECTIONS]
    used = {conn_id: f"line {line}" for conn_id, line in connection_use.named(dag.fileloc).items()}
    for task in dag.tasks:
        used |= dict.fromkeys(connection_use.held(task), f"task {task.task_id}")
    for conn_id, where in sorted(used.items()):
        if conn_id not in declared:
            yield f"{where}: unknown connection {conn_id!r}; use one of {', '.join(declared)}, {DECLARE}"


def params(dag: DAG) -> Iterator[str]:
    """A number without limits can be any number, and overflows in the middle of a run."""
    for name, param in dag.params.items():
        is_number = isinstance(param.value, int | float) and not isinstance(param.value, bool)
        schema = ({"type": "number"} if is_number else {}) | param.schema
        for place in _numbers_without_limits(schema, name):
            yield f"param {place}: a number without minimum and maximum: pass both, from {SMALLEST} to {LARGEST}"


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
    return [problem for rule in rules for problem in rule(dag)]


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
