"""Tells whether a round of ``alerts_drain`` would have something to do, without doing it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from include.ops.alerts import freshness_alerts, pending
from include.ops.alerts.open_outbox import open_outbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from include.core.warehouse.dataset import Dataset
    from include.ops.alerts.alert import Alert
    from include.ops.alerts.outbox import Outbox

STORED = "SELECT alert_key, medium, conn_id, recipient FROM alert_outbox WHERE alert_key = ANY(%s)"


def find_work(datasets: Sequence[Dataset]) -> frozenset[str]:
    """Return what a round would do now, each thing in words; record the round if that is nothing.

    Things are: a pending alert; a row of the outbox that can be sent; an alert about one of ``datasets``, or about an
    empty load, that isn't in the outbox.

    Raises:
        Exception: if it can't be told, for the reasons for which a round fails.
    """
    now = datetime.now(UTC)
    work = {f"pending alert {name}" for name in pending.names()}
    with open_outbox() as outbox:
        work.update(f"row {number} of the outbox" for number in outbox.ready(now))
        detected = chain.from_iterable(freshness_alerts.detect(outbox.session, datasets, now).values())
        work.update(f"alert {alert.key}" for alert in _unstored(outbox, detected))
        if not work:
            outbox.record_drain(now)
    return frozenset(work)


def _unstored(outbox: Outbox, alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts that aren't in the outbox for each of their routes; without a route, once is enough."""
    wanted = {alert.key: alert for alert in alerts}
    stored: dict[str, set[tuple[object, ...]]] = {}
    for key, *channel in outbox.session.execute(STORED, [list(wanted)]):
        stored.setdefault(str(key), set()).add(tuple(channel))

    def lacks_a_route(alert: Alert) -> bool:
        routes = {(route.medium, route.conn_id, route.recipient) for route in outbox.routes(alert)}
        return not routes <= stored[alert.key]

    return [alert for key, alert in wanted.items() if key not in stored or lacks_a_route(alert)]
