"""One round of ``alerts_drain``: take in what is parked, look for what no run tells, send what waits."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include.ops.alerts import freshness_alerts as sweep
from include.ops.alerts import pending as parking
from include.ops.alerts.delivery import is_there
from include.ops.alerts.open_outbox import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.warehouse.dataset import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What a round did.

    Attributes:
        taken_in: alerts that were parked and now are in the outbox.
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
        psycopg.OperationalError: if the warehouse is down; what is parked stays parked.
    """
    now = datetime.now(UTC)
    with opened() as outbox:
        parked = parking.parked()
        for waiting in parked:
            outbox.put(waiting.alert, now, available=is_there, sent=waiting.sent)
            parking.remove(waiting)
        found = [*sweep.overdue(outbox.session, datasets, now), *sweep.empty_loads(outbox.session, now)]
        for alert in found:
            outbox.put(alert, now, available=is_there)
        sent, left = outbox.drain(now)
    done = Round(len(parked), len(found), sent, left)
    log.info("%s", done)
    return done
