"""Reads the results of dbt's nodes and sources from its artifacts, and raises failures as errors.

Formats: https://docs.getdbt.com/reference/artifacts/run-results-json and …/sources-json.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.core.errors import MissingInputError, PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SHOWN = 5
GOOD = {"success", "pass", "warn", "skipped", "no-op", "partial success"}
BROKEN_DATA = {"fail", "stale"}
MISSING = "missing"
NO_TABLE = re.compile(r'relation "[^"]+" does not exist')
NEVER = "0001-01-01"  # max_loaded_at of an empty table

log = logging.getLogger(__name__)


class DbtError(Exception):
    """A dbt command failed: a model wasn't built, or dbt couldn't start."""


class DbtInputError(DbtError, MissingInputError):
    """A source was never loaded."""


class DbtTestError(DbtError, PermanentError):
    """A test failed, or a source isn't fresh; a retry with the same data would fail again."""


@dataclass(frozen=True)
class Outcome:
    """The result of a node or source; ``name`` includes its kind, ``status`` is dbt's own term."""

    name: str
    status: str
    message: str


def raise_failures(outcomes: Iterable[Outcome]) -> None:
    """Log warnings, and raise failures as one error.

    Raises:
        DbtInputError: if the only failures are sources that were never loaded.
        DbtTestError: if the only failures are tests, or sources that aren't fresh.
        DbtError: for other failures.
    """
    outcomes = list(outcomes)
    for outcome in outcomes:
        if outcome.status == "warn":
            log.warning("%s: %s", outcome.name, outcome.message)
    failed = [outcome for outcome in outcomes if outcome.status not in GOOD]
    if failed:
        shown = "; ".join(f"{outcome.name}: {outcome.message}" for outcome in failed[:SHOWN])
        more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        statuses = {MISSING if NO_TABLE.search(outcome.message) else outcome.status for outcome in failed}
        raise _error_type(statuses)(f"{len(failed)} of {len(outcomes)} failed: {shown}{more}")


def _error_type(statuses: set[str]) -> type[DbtError]:
    if statuses == {MISSING}:
        return DbtInputError
    return DbtTestError if statuses <= BROKEN_DATA else DbtError


def invocation(folder: Path) -> str:
    """Return dbt's invocation id of the command that ran nodes; empty if none did."""
    return str(_read(folder / "target" / "run_results.json").get("metadata", {}).get("invocation_id", ""))


def outcomes_of(build: dict[str, Any] | None, unique_ids: Sequence[str], reported: object) -> list[Outcome]:
    """Return a build's outcomes of the nodes; empty if it didn't run all of them, or was already reported.

    Args:
        build: ``{"invocation", "nodes": {unique id: fields of an Outcome}}``; None if there is no build.
        unique_ids: the nodes.
        reported: the invocation that was reported last.
    """
    if build is None or build["invocation"] == reported:
        return []
    outcomes = [Outcome(**build["nodes"][unique_id]) for unique_id in unique_ids if unique_id in build["nodes"]]
    complete = len(outcomes) == len(unique_ids) and all(outcome.status != "skipped" for outcome in outcomes)
    return outcomes if complete else []


def nodes(folder: Path) -> dict[str, Outcome]:
    """Return the outcome of each model, snapshot and test, by unique id."""
    target = folder / "target"
    results = _read(target / "run_results.json").get("results", [])
    manifest = _read(target / "manifest.json") if results else {}
    definitions = manifest.get("nodes", {}) | manifest.get("unit_tests", {})
    return {
        (unique_id := result["unique_id"]): Outcome(
            _name(definitions.get(unique_id, {}), unique_id), result["status"], _line(result["message"])
        )
        for result in results
    }


def sources(folder: Path) -> list[Outcome]:
    """Return the outcome of each source freshness check, sorted by name."""
    return sorted(
        (
            Outcome(f"source {result['unique_id'].rpartition('.')[2]}", *_freshness(result))
            for result in _read(folder / "target" / "sources.json").get("results", [])
        ),
        key=lambda outcome: outcome.name,
    )


def errors(folder: Path) -> list[Outcome]:
    """Return the errors in dbt's log that neither :func:`nodes` nor :func:`sources` contains.

    These are sources that can't be queried, and errors that prevent dbt from running.
    """
    stale = [source.name for source in sources(folder) if source.status not in GOOD]
    return [
        Outcome("dbt", "error", message)
        for message in _logged_errors(folder / "logs" / "dbt.log")
        if not stale or _names_other_source(message, stale)
    ]


def _freshness(result: dict[str, Any]) -> tuple[str, str]:
    hours = result["max_loaded_at_time_ago_in_s"] / 3600
    if result["max_loaded_at"].startswith(NEVER):
        return MISSING, "it was never loaded: run the DAG that loads it"
    age = f"the newest load, at {result['max_loaded_at']}, is {hours:.0f} h old"
    return {"error": "stale"}.get(result["status"], result["status"]), f"{age}: run the DAG that loads it"


def _name(node: dict[str, Any], unique_id: str) -> str:
    """Return the node's kind and name; for a test, also what it tests."""
    kind, name = unique_id.split(".")[0].replace("_", " "), node.get("name") or unique_id.split(".")[2]
    parents = sorted(node.get("depends_on", {}).get("nodes", []))  # model.… before snapshot.… and source.…
    tested = node.get("attached_node") or next(iter(parents), "")
    return f"{kind} {name} of {tested.split('.')[-1]}" if "test" in kind and tested else f"{kind} {name}"


def _names_other_source(message: str, sources: Sequence[str]) -> bool:
    """Return whether a message names a source that isn't in ``sources``."""
    match = re.search(r"\bsource \w+", message)
    return match is not None and match[0] not in sources


def _logged_errors(path: Path) -> list[str]:
    """Return the errors in dbt's JSON log, without progress events (``Log…Result``)."""
    if not path.exists():
        return []
    events = (json.loads(line)["info"] for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return [
        _line(event["msg"])
        for event in events
        if event["level"] == "error" and event["msg"].strip() and not event["name"].startswith("Log")
    ]


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content


def _line(text: str | None) -> str:
    return " ".join((text or "no message").split())
