"""Finds a DAG's runbook: the page in ``docs/runbooks`` that its doc_md links to.

Only the link is read, since ``docs`` may be missing, as in a container; the gate checks that the file exists.
"""

from __future__ import annotations

import re

from include.core.settings import RUNBOOKS

LINK = re.compile(r"\bdocs/runbooks/([\w-]+\.md)\b")


def runbooks_in(doc: str | None) -> list[str]:
    """Return the names of the runbooks that a doc_md links to, in order."""
    return LINK.findall(doc or "")


def runbook_of(doc: str | None) -> str:
    """Return the name of the runbook that a doc_md links to first; empty if it links to none."""
    return next(iter(runbooks_in(doc)), "")


def address_of(runbook: str) -> str:
    """Return the URL of a runbook, or its path if no URL is configured; empty if there is no runbook."""
    return f"{RUNBOOKS.read().rstrip('/')}/{runbook}" if runbook else ""
