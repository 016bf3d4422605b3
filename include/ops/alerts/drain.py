"""A round of ``alerts_drain``: import pending alerts, check freshness, send due messages."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include.ops.alerts import freshness_alerts, pending
from include.ops.alerts.delivery import connection_exists
from include.ops.alerts.open_outbox import open_outbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.warehouse.dataset import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """Counts of a round.

    Attributes:
        imported: pending alerts moved to the outbox.
        detected: stale datasets, missing partitions and empty loads, new or known.
        sent: messages sent.
        waiting: due rows that wait for their next attempt.
    """

    imported: int
    detected: int
    sent: int
    waiting: int


def drain(datasets: Sequence[Dataset]) -> Round:
    """Run a round; ``datasets`` are checked for freshness.

    Raises:
        AirflowNotFoundException: if there is no connection ``postgres_default``.
        psycopg.OperationalError: if the warehouse is down; pending alerts stay pending.
    """
    now = datetime.now(UTC)
    with open_outbox() as outbox:
        stored = pending.find_all()
        for item in stored:
            outbox.put(item.alert, now, available=connection_exists, sent=item.sent)
            pending.remove(item)
        detected = [
            *freshness_alerts.overdue(outbox.session, datasets, now),
            *freshness_alerts.missing_partitions(outbox.session, datasets, now),
            *freshness_alerts.empty_loads(outbox.session, now),
        ]
        for alert in detected:
            outbox.put(alert, now, available=connection_exists)
        sent, waiting = outbox.drain(now)
    counts = Round(len(stored), len(detected), sent, waiting)
    log.info("%s", counts)
    return counts
