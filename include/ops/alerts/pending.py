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
class Parked:
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
    def loads(cls, value: str) -> Parked:
        """Read what :meth:`dumps` wrote."""
        content = json.loads(value)
        return cls(Alert.from_dict(content["alert"]), frozenset(content["sent"]))


def park(parked: Parked) -> None:
    """Write the Variable, through the task API."""
    from airflow.sdk import Variable

    Variable.set(parked.name, parked.dumps(), description=DESCRIPTION)


def find(alert: Alert) -> Parked | None:
    """Return the alert as it is parked; ``None`` if it isn't."""
    from airflow.sdk import Variable

    value = Variable.get(Parked(alert).name, default=None)
    return None if value is None else Parked.loads(value)


def parked() -> list[Parked]:
    """Return everything that is parked."""
    from airflow.sdk import Variable

    found = (Variable.get(name, default=None) for name in Variable.keys(prefix=PREFIX))
    return [Parked.loads(value) for value in found if value is not None]


def remove(parked: Parked) -> None:
    """Delete the Variable."""
    from airflow.sdk import Variable

    Variable.delete(parked.name)
