"""The registered models, as far as the warehouse knows them: versions, verdicts of the gates, segments, drift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from include.core.ml.drift.datasets import MODEL_DAILY, MODEL_DRIFT
from include.ops.health.overview import count_rows

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

SHOWN_VERSIONS, SHOWN_VERDICTS, SHOWN_SEGMENTS, SHOWN_DRIFTS = 20, 10, 100, 50
VERSIONS = """
    SELECT model, version, min(recorded_at) AS recorded_at FROM model_checksum
    GROUP BY model, version ORDER BY max(recorded_at) DESC LIMIT %s
"""
VERDICTS = "SELECT model, candidate, judged_at, verdict FROM model_verdict ORDER BY judged_at DESC LIMIT %s"
SEGMENTS = SQL("""
    SELECT day, model, version, segment, predictions, outcomes, accuracy, expected, estimated, alarm FROM {table}
    WHERE day = (SELECT max(day) FROM {table}) ORDER BY model, version, segment LIMIT %s
""").format(table=Identifier(MODEL_DAILY.name))
DRIFTS = SQL("""
    SELECT day, model, version, segment, feature, rows, reference, observed, shift, since, alarm FROM {table}
    WHERE day = (SELECT max(day) FROM {table})
    ORDER BY alarm DESC, strength DESC NULLS LAST, model, version, segment, feature LIMIT %s
""").format(table=Identifier(MODEL_DRIFT.name))


class Version(NamedTuple):
    """A registered version, and when its files' checksums were recorded."""

    model: str
    version: int
    recorded_at: datetime


class Verdict(NamedTuple):
    """A verdict of the gates; ``rules`` are those of :class:`include.core.ml.gates.rule.Rule`, as stored."""

    model: str
    candidate: str
    judged_at: datetime
    rules: list[dict[str, Any]]

    @property
    def accepted(self) -> bool:
        """Whether every rule passed."""
        return all(rule.get("passed") for rule in self.rules)


@dataclass(frozen=True)
class Segment:
    """The predictions of a model's segment on a day."""

    day: date
    model: str
    version: int
    segment: str
    predictions: int
    outcomes: int
    accuracy: float | None
    expected: float | None
    estimated: float | None
    alarm: bool


@dataclass(frozen=True)
class Drift:
    """A feature of a model's segment on a day, beside its baseline."""

    day: date
    model: str
    version: int
    segment: str
    feature: str
    rows: int
    reference: float | None
    observed: float | None
    shift: float | None
    since: date | None
    alarm: bool


class Models(NamedTuple):
    """What is known of the models; segments and drift are those of the newest day."""

    versions: list[Version]
    verdicts: list[Verdict]
    segments: list[Segment]
    drifts: list[Drift]


def models(session: Session) -> Models:
    """Return what the warehouse knows of the models."""
    versions: Any = session.execute(VERSIONS, [SHOWN_VERSIONS]).fetchall()
    verdicts: Any = session.execute(VERDICTS, [SHOWN_VERDICTS]).fetchall()
    segments: list[Segment] = []
    drifts: list[Drift] = []
    if count_rows(session, MODEL_DAILY.name):
        with session.cursor(row_factory=class_row(Segment)) as cursor:
            segments = cursor.execute(SEGMENTS, [SHOWN_SEGMENTS]).fetchall()
    if count_rows(session, MODEL_DRIFT.name):
        with session.cursor(row_factory=class_row(Drift)) as cursor:
            drifts = cursor.execute(DRIFTS, [SHOWN_DRIFTS]).fetchall()
    return Models(
        [Version(*row) for row in versions],
        [Verdict(model, name, at, verdict.get("rules", [])) for model, name, at, verdict in verdicts],
        segments,
        drifts,
    )
