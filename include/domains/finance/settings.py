"""The finance team's pool and queue."""

from __future__ import annotations

from include.core.settings import EnvironmentKey, Pool, Queue

FINANCE_POOL = Pool("finance", 4, "For the finance team, so that a full default_pool doesn't delay its tasks.")
FINANCE_PRIORITY = Queue(
    "finance_priority", "For the finance team: has its own worker, so that its tasks never wait for others."
)
FINANCE_PARTIAL = EnvironmentKey(
    "SPELLBOOK_FINANCE_PARTIAL",
    "false",
    "true: a month with missing days is closed by default, marked as incomplete, as with sample data; false: refused.",
    embedded="true",
)
