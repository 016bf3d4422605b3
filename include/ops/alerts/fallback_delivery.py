"""Sends alerts without the outbox while the warehouse is down, and records that on the pending alert."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from include.ops.alerts.delivery import DeliveryError, connection_exists, deliver
from include.ops.alerts.message import Facts, compose
from include.ops.alerts.pending import PendingAlert
from include.ops.alerts.routing import routing, silences
from include.ops.alerts.runbooks import address_of

if TYPE_CHECKING:
    from datetime import datetime

    from include.ops.alerts.alert import Alert

log = logging.getLogger(__name__)


def merge(alert: Alert, stored: PendingAlert | None) -> PendingAlert:
    """Return the alert with the failures and sent media of its stored pending alert."""
    if stored is None:
        return PendingAlert(alert)
    failures = {(failure.task_id, failure.map_index): failure for failure in stored.alert.failures}
    for failure in alert.failures:
        known = failures.get((failure.task_id, failure.map_index))
        if known is None or not known.error:
            failures[failure.task_id, failure.map_index] = failure
    return PendingAlert(replace(alert, failures=tuple(failures.values())), stored.sent)


def send(pending: PendingAlert, now: datetime) -> PendingAlert:
    """Send the alert over each medium that it wasn't sent over yet, and return it with these added to ``sent``."""
    alert, sent = pending.alert, set(pending.sent)
    if silences().reason(alert, now):
        return pending
    severity, remark = routing().severity(alert), silences().expired(alert, now)
    message = compose(Facts(alert, severity, alert.failures, runbook=address_of(alert.runbook), remark=remark))
    for route in routing().routes(alert):
        if route.medium in sent or not connection_exists(route.conn_id):
            continue
        try:
            deliver(route, message)
        except DeliveryError as error:
            log.warning("%s to %s failed (%s); it is retried from the outbox", route.medium, route.recipient, error)
        else:
            sent.add(route.medium)
    return PendingAlert(alert, frozenset(sent))
