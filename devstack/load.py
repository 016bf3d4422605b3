"""Find a DAG and have the current version of its file parsed, or explain why there is no such DAG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from devstack.airflow_daemons import log_of, record_of
from devstack.api import Airflow
from devstack.errors import FailedError, StackError, UsageError
from devstack.parses import Outcome
from devstack.stack import Stack
from devstack.state import REPOSITORY
from devstack.waiting import Activity, wait_for


def load(airflow: Airflow, dag_id: str, stack: Stack) -> dict[str, Any]:
    """Have the current version of the DAG's file parsed, and return the DAG's details.

    Raises:
        FailedError: with the import error if the file doesn't load.
        UsageError: with similar names if there is no such DAG.
    """
    details = airflow.dag(dag_id)
    known_file = details["relative_fileloc"] if details else ""
    outcomes: dict[str, Outcome] = {}
    if known_file and (stack.dags / known_file).is_file():
        outcomes = parse(stack, [known_file])
    if not any(dag_id in outcome.dag_ids or outcome.error for outcome in outcomes.values()):
        outcomes = parse(stack, _files_that_may_define(dag_id, stack.dags))
    if any(dag_id in outcome.dag_ids for outcome in outcomes.values()):
        if stored := airflow.dag(dag_id):
            return stored
        raise StackError(f"{dag_id} was parsed but not stored; see {log_of(stack.state, 'dag-processor')}")
    errors = {file: outcome.error for file, outcome in outcomes.items() if outcome.error}
    if errors:
        first, *others = errors
        more = f"\n{', '.join(f'dags/{other}' for other in others)}: failed to load too" if others else ""
        raise FailedError(f"dags/{first} failed to load:\n{own_frames(errors[first], stack.dags)}{more}")
    parse(stack, _never_parsed(stack))  # so that all DAG ids are known
    names = airflow.dag_ids()
    similar = get_close_matches(dag_id, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(similar)}?" if similar else f"known DAGs: {', '.join(sorted(names))}"
    raise UsageError(f"DAG {dag_id!r} does not exist; {hint}")


def parse(stack: Stack, files: Iterable[str]) -> dict[str, Outcome]:
    """Have the current version of files (paths below the DAG folder) parsed; return the outcomes in the same order.

    Raises:
        StackError: if the DAG processor ends or makes no progress.
    """
    names, parses = list(files), stack.state.parses
    since = parses.request(names)
    activity = Activity([record_of(stack.state, "dag-processor")], [log_of(stack.state, "dag-processor")])

    def outcomes() -> dict[str, Outcome]:
        stack.state.note_waiting()
        results = {name: outcome for name in names if (outcome := parses.outcome(name, since))}
        if len(results) < len(names):
            stack.require_running(["airflow"])
            return {}
        return results

    if not names:
        return {}
    return wait_for(
        outcomes,
        f"{', '.join(f'dags/{name}' for name in names)} to be parsed",
        progress=activity,
        hint=lambda: f"See {log_of(stack.state, 'dag-processor')}",
    )


def own_frames(traceback: str, folder: Path) -> str:
    """Return a traceback without the frames outside this repository."""
    kept, keep = [], True
    for line in traceback.splitlines():
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
    """Yield the DAG files that may define ``dag_id``, the most likely first.

    Either their name is a prefix of the id, by convention; or they contain it; or they create DAGs from other files.
    """
    ranked = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(errors="replace")
        likelihood = (dag_id == path.stem, dag_id.startswith(path.stem), dag_id in text, "include.core.sources" in text)
        if any(likelihood):
            ranked.append((likelihood, path.relative_to(folder).as_posix()))
    yield from (file for _, file in sorted(ranked, key=lambda pair: pair[0], reverse=True))
