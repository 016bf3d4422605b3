"""Sends alerts without the outbox while the warehouse can't be used, and records that on the pending alert."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from include.core.connections import connection_exists
from include.ops.alerts.delivery import SEND_SECONDS, deliver
from include.ops.alerts.message import Facts, compose
from include.ops.alerts.pending import PendingAlert
from include.ops.alerts.routing import routing, silences
from include.ops.alerts.runbooks import address_of

if TYPE_CHECKING:
    from datetime import datetime

    from include.ops.alerts.alert import Alert

log = logging.getLogger(__name__)


def merge(alert: Alert, stored: PendingAlert | None) -> PendingAlert:
    """Return the alert with the failures, the text and the routes of its stored pending alert."""
    if stored is None:
        return PendingAlert(alert)
    failures = {(failure.task_id, failure.map_index): failure for failure in stored.alert.failures}
    for failure in alert.failures:
        known = failures.get((failure.task_id, failure.map_index))
        if known is None or not known.error:
            failures[failure.task_id, failure.map_index] = failure
    text = alert.text or stored.alert.text
    return replace(stored, alert=replace(alert, failures=tuple(failures.values()), text=text))


def send(pending: PendingAlert, now: datetime) -> PendingAlert:
    """Send the alert over each route that it wasn't sent over yet, and return it with these added to ``sent``.

    Routes that aren't reached within :data:`~include.ops.alerts.delivery.SEND_SECONDS` are left to the outbox.
    """
    alert, sent, until = pending.alert, set(pending.sent), time.monotonic() + SEND_SECONDS
    if silences().reason(alert, now):
        return pending
    severity, remark = routing().severity(alert), silences().expired(alert, now)
    message = compose(Facts(alert, severity, alert.failures, runbook=address_of(alert.runbook), remark=remark))
    for route in routing().routes(alert):
        if str(route) in sent or time.monotonic() > until:
            continue
        try:
            if connection_exists(route.conn_id):
                deliver(route, message)
                sent.add(str(route))
        except Exception as error:  # what was sent must be known
            log.warning("%s failed (%s); it is retried from the outbox", route, error)
    return replace(pending, sent=frozenset(sent))
