"""Alarms of the monitoring, and which of them a person has acknowledged."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from include.core.ml.errors import AcknowledgementError
from include.core.warehouse.connect import connect
from include.core.warehouse.migrations import require_migrated

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["drift", "shape", "accuracy", "estimate", "answers", "volume"]

LOOK_AT: dict[Kind, str] = {
    "accuracy": "that segment's rows in predictions and outcomes; roll back or train again",
    "answers": "the model server's log and the callers",
    "volume": "whether the callers and the model server are up",
    "estimate": "that segment's features below; outcomes, once they arrive",
    "drift": "who sends these rows, and whether what is sent or the population changed",
    "shape": "who sends these rows, and whether what is sent or the population changed",
}
"""What to look at, by kind; the worst kinds first."""
WORSE = 1.5
"""How many times the acknowledged size an alarm must exceed to count as changed."""
SHARES, MORE = ("answers/", "volume/"), 0.1
"""Kinds whose size is a share of the day, and by how much it must exceed the acknowledged one."""


class Alarm(BaseModel):
    """Something that a person should look at.

    Attributes:
        day: the day that is judged.
        kind: ``drift`` of a mean, ``shape`` of a distribution, observed ``accuracy``, ``estimate`` of the accuracy,
            ``answers`` that can't be judged, or ``volume``.
        version: version of the model; 0 for all.
        segment, feature: what is affected.
        size: how much, in the kind's own unit, with a sign.
        text: the numbers, in words.
    """

    day: dt.date
    kind: Kind
    version: int
    segment: str
    feature: str
    size: float
    text: str

    @property
    def key(self) -> str:
        """What the alarm is about, the same on every day; names it in an acknowledgement."""
        return f"{self.kind}/{self.version}/{self.segment}/{self.feature}"

    @property
    def rank(self) -> tuple[int, float]:
        """Where it belongs in a list whose worst alarms come first."""
        return list(LOOK_AT).index(self.kind), -abs(self.size)

    def __str__(self) -> str:
        version = f"version {self.version}: " if self.version else ""
        return f"{version}{self.text}; look at {LOOK_AT[self.kind]} [{self.key}]"


class Acknowledgement(BaseModel):
    """A row of ``model_alarm_acknowledgement``."""

    key: str
    size: float
    reason: str

    def covers(self, key: str, size: float) -> bool:
        """Return whether an alarm is still the acknowledged one: in the same direction, and not much larger."""
        limit = abs(self.size) + MORE if key.startswith(SHARES) else WORSE * abs(self.size)
        return self.key == key and self.size * size >= 0 and abs(size) <= limit


def acknowledged(uri: str, model: str) -> list[Acknowledgement]:
    """Return what was acknowledged of a model."""
    with connect(uri) as session:
        require_migrated(session)
        rows = session.execute(
            "SELECT alarm, size, reason FROM model_alarm_acknowledgement WHERE model = %s", [model]
        ).fetchall()
    return [Acknowledgement(key=str(key), size=float(str(size)), reason=str(reason)) for key, size, reason in rows]


def acknowledge(uri: str, model: str, alarms: Sequence[Alarm], reason: str, only: Sequence[str]) -> None:
    """Acknowledge alarms: they fail no run until they change direction or become larger.

    Args:
        uri: the warehouse.
        model: name of the registered model.
        alarms: alarms of the judged day.
        reason: why.
        only: keys of the alarms that are meant; all if empty.

    Raises:
        AcknowledgementError: if ``only`` names an alarm that isn't raised.
    """
    keys = {alarm.key for alarm in alarms}
    if unknown := sorted(set(only) - keys):
        raise AcknowledgementError(
            f"param only: {', '.join(unknown)}: not among the alarms of the day; these are: {', '.join(sorted(keys))}"
        )
    with connect(uri) as session, session.transaction():
        require_migrated(session)
        for alarm in sorted(alarms, key=lambda alarm: abs(alarm.size)):  # of those with one key, the largest counts
            if not only or alarm.key in only:
                session.execute(
                    "INSERT INTO model_alarm_acknowledgement (model, alarm, day, size, reason)"
                    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (model, alarm, day)"
                    " DO UPDATE SET size = excluded.size, reason = excluded.reason, acknowledged_at = now()",
                    [model, alarm.key, alarm.day, alarm.size, reason],
                )
