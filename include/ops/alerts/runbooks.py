"""Where a DAG's runbook is."""

from __future__ import annotations

from include.core.settings import RUNBOOKS


def runbook_of(dag_id: str) -> str:
    """Return the URL of ``docs/runbooks/<dag_id>.md``; its path, where no URL is set."""
    return f"{RUNBOOKS.read().rstrip('/')}/{dag_id}.md"
