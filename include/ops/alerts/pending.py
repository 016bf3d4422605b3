"""Where an alert waits until it is in the outbox: a Variable of Airflow's, ``alert_…``.

Variables lie in Airflow's own database, encrypted, and every task can list, read and delete them, so that neither the
scheduler needs the warehouse nor a worker the metadata database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from include.ops.alerts.alert import Alert

PREFIX = "alert_"
DESCRIPTION = "An alert on its way to the outbox; the DAG alerts_drain takes it there."


@dataclass(frozen=True)
class PendingAlert:
    """An alert outside of the outbox; ``sent`` are the media over which it went already."""

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
        """Read what :meth:`dumps` wrote."""
        content = json.loads(value)
        return cls(Alert.from_dict(content["alert"]), frozenset(content["sent"]))


def store(alert: PendingAlert) -> None:
    """Write the Variable, through the task API."""
    from airflow.sdk import Variable

    Variable.set(alert.name, alert.dumps(), description=DESCRIPTION)


def find(alert: Alert) -> PendingAlert | None:
    """Return the pending alert of the same key; ``None`` if there is none."""
    from airflow.sdk import Variable

    value = Variable.get(PendingAlert(alert).name, default=None)
    return None if value is None else PendingAlert.loads(value)


def stored() -> list[PendingAlert]:
    """Return every pending alert."""
    from airflow.sdk import Variable

    found = (Variable.get(name, default=None) for name in Variable.keys(prefix=PREFIX))
    return [PendingAlert.loads(value) for value in found if value is not None]


def remove(alert: PendingAlert) -> None:
    """Delete the Variable."""
    from airflow.sdk import Variable

    Variable.delete(alert.name)
