"""Sending without the outbox, while the warehouse is down; what was sent is marked on the pending alert."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from include.ops.alerts.delivery import DeliveryError, deliver, is_there
from include.ops.alerts.message import Facts, compose
from include.ops.alerts.pending import PendingAlert
from include.ops.alerts.routing import routing, silences
from include.ops.alerts.runbooks import address_of

if TYPE_CHECKING:
    from datetime import datetime

    from include.ops.alerts.alert import Alert

log = logging.getLogger(__name__)


def joined(alert: Alert, before: PendingAlert | None) -> PendingAlert:
    """Return the alert with the failures and the marks of what was pending of it before."""
    if before is None:
        return PendingAlert(alert)
    failures = {(failure.task_id, failure.map_index): failure for failure in before.alert.failures}
    for failure in alert.failures:
        known = failures.get((failure.task_id, failure.map_index))
        if known is None or not known.error:
            failures[failure.task_id, failure.map_index] = failure
    return PendingAlert(replace(alert, failures=tuple(failures.values())), before.sent)


def send(pending: PendingAlert, now: datetime) -> PendingAlert:
    """Send the alert over each medium that it didn't go over yet, and return it with the new marks."""
    alert, sent = pending.alert, set(pending.sent)
    if silences().reason(alert, now):
        return pending
    severity, remark = routing().severity(alert), silences().expired(alert, now)
    message = compose(Facts(alert, severity, alert.failures, runbook=address_of(alert.runbook), remark=remark))
    for route in routing().routes(alert):
        if route.medium in sent or not is_there(route.conn_id):
            continue
        try:
            deliver(route, message)
        except DeliveryError as error:
            log.warning("%s to %s failed (%s); it is tried again from the outbox", route.medium, route.recipient, error)
        else:
            sent.add(route.medium)
    return PendingAlert(alert, frozenset(sent))
