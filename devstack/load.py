"""Find a DAG and have its file parsed as it is now, or say why there is no such DAG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from devstack.airflow_daemons import log_of, record_of
from devstack.api import Airflow
from devstack.errors import StackError
from devstack.parses import Outcome
from devstack.stack import Stack
from devstack.state import REPOSITORY
from devstack.waiting import Activity, wait_for


def load(airflow: Airflow, dag_id: str, stack: Stack) -> dict[str, Any]:
    """Have the DAG's file parsed as it is now, and return the DAG's details.

    Raises:
        StackError: with the file's own error if it doesn't load, or with the nearest names if there is no such DAG.
    """
    details = airflow.dag(dag_id)
    known = details["relative_fileloc"] if details else ""
    outcomes: dict[str, Outcome] = {}
    if known and (stack.dags / known).is_file():
        outcomes = parse(stack, [known])
    if not any(dag_id in outcome.dag_ids or outcome.error for outcome in outcomes.values()):
        outcomes = parse(stack, _files_that_may_define(dag_id, stack.dags))
    if any(dag_id in outcome.dag_ids for outcome in outcomes.values()):
        if stored := airflow.dag(dag_id):
            return stored
        raise StackError(f"{dag_id} was parsed but not stored; see {log_of(stack.state, 'dag-processor')}")
    broken = {file: outcome.error for file, outcome in outcomes.items() if outcome.error}
    if broken:
        first, *others = broken
        more = f"\n{', '.join(f'dags/{other}' for other in others)}: not loaded either" if others else ""
        raise StackError(f"dags/{first} does not load:\n{own_part(broken[first], stack.dags)}{more}")
    parse(stack, _never_parsed(stack))  # so that every name is known
    names = airflow.dag_ids()
    near = get_close_matches(dag_id, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(names))}"
    raise StackError(f"there is no DAG {dag_id!r}; {hint}")


def parse(stack: Stack, files: Iterable[str]) -> dict[str, Outcome]:
    """Have files (paths below the DAG folder) parsed as they are now; return what came of each, in the same order.

    Raises:
        StackError: if the DAG processor ends, or does nothing for long.
    """
    names, parses = list(files), stack.state.parses
    since = parses.request(names)
    activity = Activity([record_of(stack.state, "dag-processor")], [log_of(stack.state, "dag-processor")])

    def outcomes() -> dict[str, Outcome]:
        stack.state.note_waiting()
        found = {name: outcome for name in names if (outcome := parses.outcome(name, since))}
        if len(found) < len(names):
            stack.require_running(["airflow"])
            return {}
        return found

    if not names:
        return {}
    return wait_for(
        outcomes,
        f"{', '.join(f'dags/{name}' for name in names)} to be parsed",
        progress=activity,
        hint=lambda: f"See {log_of(stack.state, 'dag-processor')}",
    )


def own_part(trace: str, folder: Path) -> str:
    """Cut from a traceback the frames that are not this repository's."""
    kept, keep = [], True
    for line in trace.splitlines():
        if line.startswith('  File "'):
            keep = (str(REPOSITORY) in line or str(folder) in line) and "site-packages" not in line
        elif not line.startswith(" "):
            keep = True
        if keep:
            kept.append(line.replace(f"{folder}/", "dags/").replace(f"{REPOSITORY}/", ""))
    return "\n".join(kept)


def _never_parsed(stack: Stack) -> Iterator[str]:
    for path in sorted(stack.dags.rglob("*.py")):
        file = path.relative_to(stack.dags).as_posix()
        if stack.state.parses.outcome(file, since=0) is None:
            yield file


def _files_that_may_define(dag_id: str, folder: Path) -> Iterator[str]:
    """Yield the DAG files that may define ``dag_id``, the likeliest first.

    Their name begins the id, which is the convention here; their text holds it; or they make DAGs of other files.
    """
    ranked = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(errors="replace")
        likelihood = (dag_id == path.stem, dag_id.startswith(path.stem), dag_id in text, "include.core.sources" in text)
        if any(likelihood):
            ranked.append((likelihood, path.relative_to(folder).as_posix()))
    yield from (file for _, file in sorted(ranked, key=lambda pair: pair[0], reverse=True))
