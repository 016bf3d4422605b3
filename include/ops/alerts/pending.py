"""Stores pending alerts, until they are in the outbox, as Airflow Variables named ``alert_…``.

Variables are stored encrypted in Airflow's own database, and every task can list, read and delete them. So the
scheduler doesn't need the warehouse, and workers don't need the metadata database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from include.ops.alerts.alert import Alert

PREFIX = "alert_"
DESCRIPTION = "A pending alert; the DAG alerts_drain moves it to the outbox."


@dataclass(frozen=True)
class PendingAlert:
    """An alert that isn't in the outbox yet; ``sent`` are the media over which it was already sent."""

    alert: Alert
    sent: frozenset[str] = field(default=frozenset())

    @property
    def name(self) -> str:
        """Name of the Variable."""
        return f"{PREFIX}{self.alert.digest}"

    def dumps(self) -> str:
        """Return the Variable's value."""
        return json.dumps({"alert": self.alert.to_dict(), "sent": sorted(self.sent)})

    @classmethod
    def loads(cls, value: str) -> PendingAlert:
        """Return the alert from a value of :meth:`dumps`."""
        content = json.loads(value)
        return cls(Alert.from_dict(content["alert"]), frozenset(content["sent"]))


def store(alert: PendingAlert) -> None:
    """Write the Variable, through the task API."""
    from airflow.sdk import Variable

    Variable.set(alert.name, alert.dumps(), description=DESCRIPTION)


def find(alert: Alert) -> PendingAlert | None:
    """Return the pending alert with the same key; ``None`` if there is none."""
    from airflow.sdk import Variable

    value = Variable.get(PendingAlert(alert).name, default=None)
    return None if value is None else PendingAlert.loads(value)


def find_all() -> list[PendingAlert]:
    """Return all pending alerts."""
    from airflow.sdk import Variable

    values = (Variable.get(name, default=None) for name in Variable.keys(prefix=PREFIX))
    return [PendingAlert.loads(value) for value in values if value is not None]


def remove(alert: PendingAlert) -> None:
    """Delete the Variable."""
    from airflow.sdk import Variable

    Variable.delete(alert.name)
