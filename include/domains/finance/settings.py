"""The finance team's own pool and queue."""

from __future__ import annotations

from include.core.settings import Pool, Queue

FINANCE_POOL = Pool("finance", 4, "The finance team's own, so that a full default_pool doesn't hold its tasks back.")
FINANCE_PRIORITY = Queue(
    "finance_priority", "Work of the finance team, on a worker of its own, so that it never waits for others."
)
