"""Stores pending alerts, until they are in the outbox, as Airflow Variables named ``alert_…``.

Variables are stored encrypted in Airflow's own database, and every task can list, read and delete them. So the
scheduler doesn't need the warehouse, and workers don't need the metadata database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.ops.alerts.alert import Alert

PREFIX = "alert_"
DESCRIPTION = "A pending alert; the DAG alerts_drain moves it to the outbox."


@dataclass(frozen=True)
class PendingAlert:
    """An alert that isn't in the outbox yet.

    Attributes:
        alert: the alert.
        sent: the routes, as text, over which it was already sent.
        since: when it was stored first.
    """

    alert: Alert
    sent: frozenset[str] = field(default=frozenset())
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def name(self) -> str:
        """Name of the Variable."""
        return f"{PREFIX}{self.alert.digest}"

    def dumps(self) -> str:
        """Return the Variable's value."""
        content = {"alert": self.alert.to_dict(), "sent": sorted(self.sent), "since": self.since.isoformat()}
        return json.dumps(content)

    @classmethod
    def loads(cls, value: str) -> PendingAlert:
        """Return the alert from a value of :meth:`dumps`.

        Raises:
            ValueError: if it isn't one; the message doesn't show it.
        """
        try:
            content = json.loads(value)
            since = datetime.fromisoformat(content.get("since", "1970-01-01T00:00:00+00:00"))
            return cls(Alert.from_dict(content["alert"]), frozenset(content["sent"]), since)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"the Variable's value isn't a pending alert ({type(error).__name__})") from None


def store(alert: PendingAlert) -> None:
    """Write the Variable, through the task API."""
    from airflow.sdk import Variable

    Variable.set(alert.name, alert.dumps(), description=DESCRIPTION)


def find(alert: Alert) -> PendingAlert | None:
    """Return the pending alert with the same key; ``None`` if there is none."""
    return load(PendingAlert(alert).name)


def names() -> list[str]:
    """Return the names of the Variables of all pending alerts."""
    from airflow.sdk import Variable

    return list(Variable.keys(prefix=PREFIX))


def load(name: str) -> PendingAlert | None:
    """Return the pending alert in a Variable; ``None`` if it was removed meanwhile.

    Raises:
        ValueError: if the Variable isn't a pending alert.
    """
    from airflow.sdk import Variable

    value = Variable.get(name, default=None)
    return None if value is None else PendingAlert.loads(value)


def remove(name: str) -> None:
    """Delete the Variable of a pending alert."""
    from airflow.sdk import Variable

    Variable.delete(name)
