"""One round of ``alerts_drain``: take in pending alerts, look for what no run reports, send what is due."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include.ops.alerts import freshness_alerts, pending
from include.ops.alerts.delivery import is_there
from include.ops.alerts.open_outbox import open_outbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.warehouse.dataset import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What a round did.

    Attributes:
        taken_in: pending alerts that are in the outbox now.
        found: datasets and loads that the warehouse's books complain of, new or not.
        sent: messages that were sent.
        waiting: rows that are due and wait for their next attempt.
    """

    taken_in: int
    found: int
    sent: int
    waiting: int


def drain(datasets: Sequence[Dataset]) -> Round:
    """Do one round; ``datasets`` are those whose freshness is watched.

    Raises:
        AirflowNotFoundException: if there is no connection ``postgres_default``.
        psycopg.OperationalError: if the warehouse is down; what is pending stays pending.
    """
    now = datetime.now(UTC)
    with open_outbox() as outbox:
        before = pending.stored()
        for waiting in before:
            outbox.put(waiting.alert, now, available=is_there, sent=waiting.sent)
            pending.remove(waiting)
        found = [
            *freshness_alerts.overdue(outbox.session, datasets, now),
            *freshness_alerts.empty_loads(outbox.session, now),
        ]
        for alert in found:
            outbox.put(alert, now, available=is_there)
        sent, left = outbox.drain(now)
    done = Round(len(before), len(found), sent, left)
    log.info("%s", done)
    return done
