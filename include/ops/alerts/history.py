"""History in the outbox: every failure of a run, and the results of a DAG's last runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from include.ops.alerts.alert import Alert, Failure, Kind

if TYPE_CHECKING:
    from datetime import datetime

    from include.core.warehouse.connect import Session

MAX_STREAK = 1000


def record(session: Session, alert: Alert, failure: Failure, now: datetime) -> None:
    """Store a failure of the alert's run; an entry with an error replaces one without."""
    session.execute(
        "INSERT INTO alert_failure (dag_id, run_id, attempt, task_id, map_index, body, failed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (dag_id, run_id, attempt, task_id, map_index)"
        " DO UPDATE SET body = excluded.body"
        " WHERE alert_failure.body ->> 'error' = '' AND excluded.body ->> 'error' <> ''",
        [
            alert.dag_id,
            alert.run_id,
            alert.attempt,
            failure.task_id,
            failure.map_index,
            json.dumps(asdict(failure)),
            now,
        ],
    )


def failures(session: Session, alert: Alert) -> tuple[Failure, ...]:
    """Return every known failure of the alert's run, the first one first."""
    rows = session.execute(
        "SELECT body FROM alert_failure WHERE (dag_id, run_id, attempt) = (%s, %s, %s)"
        " ORDER BY failed_at, task_id, map_index",
        [alert.dag_id, alert.run_id, alert.attempt],
    ).fetchall()
    return tuple(Failure(**body) for (body,) in rows if isinstance(body, dict))


def has_error(session: Session, alert: Alert, failure: Failure) -> bool:
    """Return whether a failure of the alert's run is stored with its error."""
    errors = {(item.task_id, item.map_index): item.error for item in failures(session, alert)}
    return bool(errors.get((failure.task_id, failure.map_index)))


def streak(session: Session, alert: Alert, before: int) -> int:
    """Return the number of consecutive failed runs of the alert's DAG right before outbox row ``before``."""
    earlier = session.execute(
        "SELECT kind FROM (SELECT DISTINCT ON (alert_key) kind, id FROM alert_outbox WHERE dag_id = %s AND id < %s"
        " AND alert_key <> %s AND kind = ANY(%s) ORDER BY alert_key, id) AS runs ORDER BY id DESC LIMIT %s",
        [alert.dag_id, before, alert.key, [Kind.FAILED, Kind.SUCCEEDED], MAX_STREAK],
    ).fetchall()
    kinds = [kind for (kind,) in earlier]
    return kinds.index(Kind.SUCCEEDED) if Kind.SUCCEEDED in kinds else len(kinds)
