"""A round of ``alerts_drain``: import pending alerts, check freshness, send due messages.

What can't be done holds up nothing else, and is named at the end.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from include.ops.alerts import fallback_delivery, freshness_alerts, pending
from include.ops.alerts.open_outbox import open_outbox
from include.ops.alerts.outbox import AT_ONCE
from include.ops.alerts.pending import PendingAlert
from include.ops.alerts.wording import error_in_a_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.core.warehouse.dataset import Dataset
    from include.ops.alerts.outbox import Outbox

PATIENCE = timedelta(minutes=2)
"""Age from which a pending alert is sent without the outbox; a callback, which may be sending it, takes less."""
TRYING_SECONDS = 60  # of a round, to send without the outbox: the channels may be away, too
SHOWN = 10  # problems named in the error

log = logging.getLogger(__name__)


class DrainError(Exception):
    """A part of the round failed; it is repeated in the next one."""


@dataclass
class Round:
    """The result of a round.

    Attributes:
        imported: pending alerts moved to the outbox.
        detected: stale datasets, missing partitions and empty loads, new or known.
        sent: messages sent.
        waiting: due rows that wait for their next attempt.
        problems: what couldn't be done, in words.
    """

    imported: int = 0
    detected: int = 0
    sent: int = 0
    waiting: int = 0
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Note an error as a problem, and go on."""
        try:
            yield
        except Exception as error:
            log.exception("%s", what)
            self.problems.append(f"{what}: {error_in_a_line(error)}")


def drain(datasets: Sequence[Dataset]) -> Round:
    """Run a round; ``datasets`` are checked for freshness.

    While the outbox can't be used, pending alerts are sent without it after two minutes, at most ten in a round.

    Raises:
        DrainError: at the end, naming what couldn't be done.
    """
    now, result = datetime.now(UTC), Round()
    with ExitStack() as stack:
        outbox = None
        with result.noted("the outbox can't be opened"):
            outbox = stack.enter_context(open_outbox())
        _import(outbox, now, result)
        if outbox is not None:
            _detect(outbox, datasets, now, result)
            with result.noted("sending"):
                result.sent, result.waiting = outbox.drain(now)
            if not result.problems:
                with result.noted("recording the round"):
                    outbox.record_drain(now)
    log.info("%s", result)
    if result.problems:
        more = f"\n… and {len(result.problems) - SHOWN} more" if len(result.problems) > SHOWN else ""
        raise DrainError("this could not be done:\n" + "\n".join(result.problems[:SHOWN]) + more)
    return result


def _import(outbox: Outbox | None, now: datetime, result: Round) -> None:
    """Move the pending alerts to the outbox; send those that can't be moved and have waited long enough."""
    names: list[str] = []
    with result.noted("listing the pending alerts"):
        names = pending.names()
    sent, until = 0, time.monotonic() + TRYING_SECONDS
    for name in names:
        with result.noted(f"pending alert {name}"):
            item = pending.load(name)
            if item is None or (outbox is not None and _move(outbox, name, item, now, result)):
                continue
            if now - item.since > PATIENCE and sent < AT_ONCE and time.monotonic() < until:
                tried = fallback_delivery.send(item, now)
                if tried.sent != item.sent:
                    sent += 1
                    pending.store(tried)


def _move(outbox: Outbox, name: str, item: PendingAlert, now: datetime, result: Round) -> bool:
    """Move a pending alert to the outbox; return whether it is there."""
    moved = False
    with result.noted(f"pending alert {name}"):
        outbox.put(item.alert, now, sent=item.sent)
        moved = True
        pending.remove(name)
        result.imported += 1
    return moved


def _detect(outbox: Outbox, datasets: Sequence[Dataset], now: datetime, result: Round) -> None:
    """Put alerts about datasets into the outbox; those that can't be are stored as pending."""
    for what, alerts in freshness_alerts.detect(outbox.session, datasets, now).items():
        with result.noted(what):
            for alert in list(alerts):
                result.detected += 1
                with result.noted(f"alert {alert.key}"):
                    try:
                        outbox.put(alert, now)
                    except Exception:
                        if pending.find(alert) is None:
                            pending.store(PendingAlert(alert))
                        raise
