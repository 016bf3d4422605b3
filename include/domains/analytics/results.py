"""What dbt left behind: what became of each node and source, and its failures as an error that names them.

Formats: https://docs.getdbt.com/reference/artifacts/run-results-json and …/sources-json.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.domains.analytics.errors import DbtError, DbtInputError, DbtTestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SHOWN = 5
GOOD = {"success", "pass", "warn", "skipped", "no-op", "partial success"}
BROKEN_DATA = {"fail", "stale"}
MISSING = "missing"
NO_TABLE = re.compile(r'relation "[^"]+" does not exist')
NEVER = "0001-01-01"  # dbt's newest load of a table without rows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of a model, snapshot, test or source, which ``name`` tells; ``status`` is dbt's own word."""

    name: str
    status: str
    message: str


def judge(outcomes: Iterable[Outcome]) -> None:
    """Log warnings, and raise what went wrong.

    Raises:
        DbtInputError: if all that is wrong is that sources were never loaded.
        DbtTestError: if data broke a test, or a source isn't fresh.
        DbtError: if something else went wrong.
    """
    outcomes = list(outcomes)
    for outcome in outcomes:
        if outcome.status == "warn":
            log.warning("%s: %s", outcome.name, outcome.message)
    bad = [outcome for outcome in outcomes if outcome.status not in GOOD]
    if bad:
        shown = "; ".join(f"{outcome.name}: {outcome.message}" for outcome in bad[:SHOWN])
        more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        statuses = {MISSING if NO_TABLE.search(outcome.message) else outcome.status for outcome in bad}
        raise _kind(statuses)(f"{len(bad)} of {len(outcomes)} failed: {shown}{more}")


def _kind(statuses: set[str]) -> type[DbtError]:
    if statuses == {MISSING}:
        return DbtInputError
    return DbtTestError if statuses <= BROKEN_DATA else DbtError


def invocation(folder: Path) -> str:
    """Return dbt's id of the command that ran nodes; empty if none did."""
    return str(_read(folder / "target" / "run_results.json").get("metadata", {}).get("invocation_id", ""))


def reported(build: dict[str, Any] | None, unique_ids: Sequence[str], judged: object) -> list[Outcome]:
    """Return what a build made of some nodes; nothing if it didn't run all of them, or was judged before.

    Args:
        build: ``{"invocation", "nodes": {unique id: fields of an Outcome}}``; None if there was none.
        unique_ids: the nodes.
        judged: the invocation that was judged last.
    """
    if build is None or build["invocation"] == judged:
        return []
    found = [Outcome(**build["nodes"][unique_id]) for unique_id in unique_ids if unique_id in build["nodes"]]
    complete = len(found) == len(unique_ids) and all(outcome.status != "skipped" for outcome in found)
    return found if complete else []


def nodes(folder: Path) -> dict[str, Outcome]:
    """Return what became of each model, snapshot and test, by its unique id."""
    target = folder / "target"
    results = _read(target / "run_results.json").get("results", [])
    manifest = _read(target / "manifest.json") if results else {}
    known = manifest.get("nodes", {}) | manifest.get("unit_tests", {})
    return {
        (unique_id := result["unique_id"]): Outcome(
            _name(known.get(unique_id, {}), unique_id), result["status"], _line(result["message"])
        )
        for result in results
    }


def sources(folder: Path) -> list[Outcome]:
    """Return what became of each source whose freshness was asked, by name."""
    return sorted(
        (
            Outcome(f"source {result['unique_id'].rpartition('.')[2]}", *_freshness(result))
            for result in _read(folder / "target" / "sources.json").get("results", [])
        ),
        key=lambda outcome: outcome.name,
    )


def errors(folder: Path) -> list[Outcome]:
    """Return the errors in dbt's log that neither :func:`nodes` nor :func:`sources` has.

    That is a source that can't be asked, and all that dbt says when it can't do its work.
    """
    stale = [source.name for source in sources(folder) if source.status not in GOOD]
    return [
        Outcome("dbt", "error", message)
        for message in _logged_errors(folder / "logs" / "dbt.log")
        if not stale or _is_about_another(message, stale)
    ]


def _freshness(result: dict[str, Any]) -> tuple[str, str]:
    hours = result["max_loaded_at_time_ago_in_s"] / 3600
    if result["max_loaded_at"].startswith(NEVER):
        return MISSING, "it was never loaded: run the DAG that loads it"
    age = f"the newest load, at {result['max_loaded_at']}, is {hours:.0f} h old"
    return {"error": "stale"}.get(result["status"], result["status"]), f"{age}: run the DAG that loads it"


def _name(node: dict[str, Any], unique_id: str) -> str:
    """Return the node's kind and name, and of a test also what it tests."""
    kind, name = unique_id.split(".")[0].replace("_", " "), node.get("name") or unique_id.split(".")[2]
    parents = sorted(node.get("depends_on", {}).get("nodes", []))  # model.… before snapshot.… and source.…
    tested = node.get("attached_node") or next(iter(parents), "")
    return f"{kind} {name} of {tested.split('.')[-1]}" if "test" in kind and tested else f"{kind} {name}"


def _is_about_another(message: str, sources: Sequence[str]) -> bool:
    """Tell whether a message names a source that is none of ``sources``."""
    named = re.search(r"\bsource \w+", message)
    return named is not None and named[0] not in sources


def _logged_errors(path: Path) -> list[str]:
    """Return the errors in dbt's log, one JSON object a line, without the lines of its progress (``Log…Result``)."""
    if not path.exists():
        return []
    events = (json.loads(line)["info"] for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return [
        _line(event["msg"])
        for event in events
        if event["level"] == "error" and event["msg"].strip() and not event["name"].startswith("Log")
    ]


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _line(text: str | None) -> str:
    return " ".join((text or "no message").split())
