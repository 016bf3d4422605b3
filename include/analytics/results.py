"""What a dbt command left behind: its artifacts are kept, and its failures become an error that names them.

Formats: https://docs.getdbt.com/reference/artifacts/run-results-json and …/sources-json.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include import storage
from include.analytics.errors import DbtError, DbtInputError, DbtTestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

KEPT = ("run_results.json", "sources.json", "catalog.json", "static_index.html")
DOCUMENTATION = "static_index.html"
SHOWN = 5
GOOD = {"success", "pass", "warn", "skipped", "no-op", "partial success"}
BROKEN_DATA = {"fail", "stale"}
MISSING = "missing"
NO_TABLE = re.compile(r'relation "[^"]+" does not exist')
NEVER = "0001-01-01"  # dbt's newest load of a table without rows

log = logging.getLogger(__name__)


def keep(project_dir: str, context: Context) -> None:
    """Keep the command's artifacts in object storage, and raise what went wrong; Cosmos calls it after each command.

    They go to ``dbt/<dag>/<run>/<task>/<try>/``, the documentation also to ``dbt/docs/index.html``.

    Raises:
        DbtInputError: if all that is wrong is that sources were never loaded.
        DbtTestError: if data broke a test, or a source isn't fresh.
        DbtError: if something else went wrong.
    """
    from airflow.sdk import ObjectStoragePath

    from include.settings import OBJECT_STORAGE

    ti = context["ti"]
    root = ObjectStoragePath(OBJECT_STORAGE.read()) / "dbt"
    parts = (ti.dag_id, storage.file_name(context["run_id"]), ti.task_id, str(ti.try_number))
    folder = root.joinpath(*parts)
    target = Path(project_dir, "target")
    for file in (target / name for name in KEPT):
        if file.exists():
            storage.write(folder / file.name, file.read_bytes())
    if (target / "manifest.json").exists():
        storage.write(folder / "manifest.json.gz", gzip.compress((target / "manifest.json").read_bytes(), mtime=0))
    if (target / DOCUMENTATION).exists():
        storage.write(root / "docs" / "index.html", (target / DOCUMENTATION).read_bytes())
    log.info("artifacts are kept in %s", folder)
    judge(Path(project_dir))


def judge(project: Path) -> None:
    """Raise the failures that ``target/`` and ``logs/`` of a project tell of; see :func:`keep`."""
    sources = _sources(project / "target")
    # A source that can't be asked is in the log only, as is all that dbt says before it begins.
    logged = [
        ("dbt", "error", message)
        for message in _logged_errors(project / "logs" / "dbt.log")
        if not sources or _is_about_another(message, [name for name, _, _ in sources])
    ]
    outcomes = _nodes(project / "target") or [*sources, *logged]
    for name, status, message in outcomes:
        if status == "warn":
            log.warning("%s: %s", name, message)
    bad = [(name, status, message) for name, status, message in outcomes if status not in GOOD]
    if bad:
        shown = "; ".join(f"{name}: {message}" for name, _, message in bad[:SHOWN])
        more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise _kind({MISSING if NO_TABLE.search(message) else status for _, status, message in bad})(
            f"{len(bad)} of {len(outcomes)} failed: {shown}{more}"
        )


def _kind(statuses: set[str]) -> type[DbtError]:
    if statuses == {MISSING}:
        return DbtInputError
    return DbtTestError if statuses <= BROKEN_DATA else DbtError


def _nodes(target: Path) -> list[tuple[str, str, str]]:
    """Return name, status and message of each model, snapshot and test that was run."""
    results = _read(target / "run_results.json").get("results", [])
    manifest = _read(target / "manifest.json") if results else {}
    known = manifest.get("nodes", {}) | manifest.get("unit_tests", {})
    return [
        (_name(known.get(one["unique_id"], {}), one["unique_id"]), one["status"], _line(one["message"]))
        for one in results
    ]


def _sources(target: Path) -> list[tuple[str, str, str]]:
    """Return name, status and message of each source whose freshness was asked."""
    return sorted(
        (f"source {one['unique_id'].rpartition('.')[2]}", *_freshness(one))
        for one in _read(target / "sources.json").get("results", [])
    )


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
