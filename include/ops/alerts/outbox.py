"""The outbox: table ``alert_outbox`` in the warehouse.

A row is locked during its delivery, and marked as sent in the same transaction. A crash in between leaves it unsent, so
it is sent again. Nothing is lost, and only such a crash can send a message twice, since neither Slack's webhooks nor
SMTP deduplicate messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from include.core.warehouse.storable import storable_text
from include.ops.alerts import history
from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.delivery import DeliveryError
from include.ops.alerts.message import Facts, Message, compose, digest
from include.ops.alerts.routing import Medium, Route, Routing, Silences
from include.ops.alerts.runbooks import address_of

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

Deliver = Callable[[Route, Message], None]

ROLL_UP = timedelta(seconds=30)  # how long more failures of a running run are added to the first
AT_ONCE = 10  # messages to a channel in a minute; more are combined into one
FIRST_DELAY, MAX_DELAY = timedelta(seconds=30), timedelta(minutes=15)

INSERT = """
    INSERT INTO alert_outbox (
        alert_key, medium, conn_id, recipient, username, kind, severity, dag_id, run_id, attempt, body,
        created_at, due_at, next_at, sent_at, kept_back
    )
    VALUES (
        %(alert_key)s, %(medium)s, %(conn_id)s, %(recipient)s, %(username)s, %(kind)s, %(severity)s,
        %(dag_id)s, %(run_id)s, %(attempt)s, %(body)s, %(now)s, %(due_at)s, %(now)s, %(sent_at)s, %(kept_back)s
    )
    ON CONFLICT (alert_key, medium, conn_id, recipient) DO UPDATE SET
        due_at = least(alert_outbox.due_at, excluded.due_at),
        body = CASE
            WHEN alert_outbox.body ->> 'text' = ''
                THEN alert_outbox.body || jsonb_build_object('text', excluded.body ->> 'text')
            ELSE alert_outbox.body
        END
    WHERE alert_outbox.sent_at IS NULL
"""
# A channel with an older failed message is left to the drain, which keeps the order; so is a busy channel, for which
# the drain sends a digest.
FRESH = """
    SELECT fresh.id FROM alert_outbox AS fresh
    WHERE fresh.alert_key = %(alert_key)s AND fresh.sent_at IS NULL AND fresh.due_at <= %(now)s AND fresh.attempts = 0
        AND NOT EXISTS (
            SELECT FROM alert_outbox AS stuck
            WHERE stuck.medium = fresh.medium AND stuck.conn_id = fresh.conn_id AND stuck.recipient = fresh.recipient
                AND stuck.sent_at IS NULL AND stuck.attempts > 0 AND NOT stuck.refused
        )
        AND %(at_once)s > (
            SELECT count(*) FROM alert_outbox AS recent
            WHERE recent.medium = fresh.medium AND recent.conn_id = fresh.conn_id
                AND recent.recipient = fresh.recipient
                AND recent.sent_at > %(now)s - interval '1 minute' AND recent.kept_back IS NULL
        )
    ORDER BY fresh.id
"""
TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('alert_outbox', 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('alert_outbox', 0))"


@dataclass(frozen=True)
class Outbox:
    """The outbox in a session.

    Attributes:
        session: session on the warehouse, without an open transaction.
        routing: where alerts are sent.
        silences: which alerts are suppressed.
        deliver: sends a message, or raises :class:`~include.ops.alerts.delivery.DeliveryError`.
    """

    session: Session
    routing: Routing
    silences: Silences
    deliver: Deliver

    def put(
        self,
        alert: Alert,
        now: datetime,
        *,
        wait: timedelta = timedelta(0),
        available: Callable[[str], bool] = lambda _: True,
        sent: frozenset[str] = frozenset(),
    ) -> None:
        """Store an alert and its failures; idempotent.

        Args:
            alert: the alert.
            now: the current time, in UTC.
            wait: how long to wait for more failures before it is sent; a later call may shorten it, or add the text.
            available: returns whether a connection exists; routes without one are skipped.
            sent: media over which it was already sent.
        """
        silenced = self.silences.reason(alert, now)
        routes = [route for route in self.routing.routes(alert) if available(route.conn_id)]
        with self.session.transaction():
            for failure in alert.failures if alert.kind is Kind.FAILED else ():
                history.record(self.session, alert, failure, now)
            # A row without a route keeps the DAG's history.
            for route in routes or [Route(Medium.SLACK, "", "")]:
                kept_back = silenced or ("" if routes else "no route: unwatched, or no connection")
                row = asdict(route) | {
                    "alert_key": alert.key,
                    "kind": alert.kind,
                    "severity": self.routing.severity(alert),
                    "dag_id": alert.dag_id,
                    "run_id": alert.run_id,
                    "attempt": alert.attempt,
                    "body": json.dumps(alert.to_dict()),
                    "now": now,
                    "due_at": now + wait,
                    "sent_at": now if kept_back else None,
                    "kept_back": kept_back or None,
                }
                self.session.execute(INSERT, row)
            self.session.execute(
                "UPDATE alert_outbox SET sent_at = %s WHERE alert_key = %s AND medium = ANY(%s) AND sent_at IS NULL",
                [now, alert.key, list(sent)],
            )

    def send(self, alert: Alert, now: datetime) -> int:
        """Send an alert that was just put, except over failing or busy channels; return how many messages were sent."""
        rows = self.session.execute(FRESH, {"alert_key": alert.key, "now": now, "at_once": AT_ONCE}).fetchall()
        return sum(self._send_one(int(str(number)), now) is None for (number,) in rows)

    def drain(self, now: datetime) -> tuple[int, int]:
        """Send waiting messages, oldest first, unless another drain is running; return how many were sent and remain.

        A failing channel pauses until its next attempt with all its messages, so that their order is kept.
        """
        if self.session.execute(TRY_LOCK).fetchone() != (True,):
            return 0, self._waiting(now)
        try:
            sent = sum(self._drain_channel(channel, now) for channel in self._channels(now))
        finally:
            self.session.execute(UNLOCK)
        return sent, self._waiting(now)

    def _channels(self, now: datetime) -> list[tuple[object, ...]]:
        return self.session.execute(
            "SELECT medium, conn_id, recipient FROM alert_outbox WHERE sent_at IS NULL AND due_at <= %s"
            " GROUP BY medium, conn_id, recipient ORDER BY min(id)",
            [now],
        ).fetchall()

    def _waiting(self, now: datetime) -> int:
        row = self.session.execute(
            "SELECT count(*) FROM alert_outbox WHERE sent_at IS NULL AND due_at <= %s", [now]
        ).fetchone()
        return int(str(row[0])) if row else 0

    def _drain_channel(self, channel: tuple[object, ...], now: datetime) -> int:
        rows = self.session.execute(
            "SELECT id, next_at > %s, refused FROM alert_outbox WHERE sent_at IS NULL AND due_at <= %s"
            " AND (medium, conn_id, recipient) = (%s, %s, %s) ORDER BY id",
            [now, now, *channel],
        ).fetchall()
        if any(paused and not refused for _, paused, refused in rows):
            return 0
        ready = [int(str(number)) for number, paused, _ in rows if not paused]
        fresh = [int(str(number)) for number, paused, refused in rows if not paused and not refused]
        if len(fresh) > AT_ONCE:
            return self._send_digest(fresh, now)
        sent = 0
        for number in ready:
            error = self._send_one(number, now)
            if error is None:
                sent += 1
            elif not error.refused:
                break
        return sent

    def _send_one(self, number: int, now: datetime) -> DeliveryError | None:
        """Deliver a row and mark it as sent; return the error, if any. A row locked by another process is skipped."""
        with self.session.transaction():
            row = self._claim([number])
            if not row:
                return DeliveryError("another process is sending it", refused=True)
            return self._attempt(row, self._route(row[0]), compose(self._facts(row[0], now)), now)

    def _send_digest(self, numbers: list[int], now: datetime) -> int:
        with self.session.transaction():
            rows = self._claim(numbers)
            if not rows:
                return 0
            summaries = [compose(self._facts(row, now)).summary for row in rows]
            error = self._attempt(rows, self._route(rows[0]), digest(summaries, str(rows[0]["severity"])), now)
            return 0 if error else 1

    def _attempt(
        self, rows: list[dict[str, Any]], route: Route, message: Message, now: datetime
    ) -> DeliveryError | None:
        numbers = [row["id"] for row in rows]
        try:
            self.deliver(route, message)
        except DeliveryError as error:
            delay = min(FIRST_DELAY * 2 ** min(rows[0]["attempts"], 10), MAX_DELAY)
            if error.retry_after is not None:
                delay = max(delay, timedelta(seconds=error.retry_after))
            self.session.execute(
                "UPDATE alert_outbox SET attempts = attempts + 1, next_at = %s, last_error = %s, refused = %s"
                " WHERE id = ANY(%s)",
                [now + delay, storable_text(str(error)), error.refused and len(rows) == 1, numbers],
            )
            return error
        self.session.execute(
            "UPDATE alert_outbox SET attempts = attempts + 1, sent_at = %s, last_error = NULL WHERE id = ANY(%s)",
            [now, numbers],
        )
        return None

    def _claim(self, numbers: list[int]) -> list[dict[str, Any]]:
        rows = self.session.execute(
            "SELECT to_jsonb(alert_outbox) FROM alert_outbox WHERE id = ANY(%s) AND sent_at IS NULL ORDER BY id"
            " FOR UPDATE SKIP LOCKED",
            [numbers],
        ).fetchall()
        return [row for (row,) in rows if isinstance(row, dict)]

    def _route(self, row: dict[str, Any]) -> Route:
        return Route(Medium(row["medium"]), row["conn_id"], row["recipient"], row["username"])

    def _facts(self, row: dict[str, Any], now: datetime) -> Facts:
        alert = Alert.from_dict(row["body"])
        remark = self.silences.expired(alert, now)
        failures = history.failures(self.session, alert) if alert.kind is Kind.FAILED else alert.failures
        streak = history.streak(self.session, alert, row["id"]) if alert.kind in {Kind.FAILED, Kind.SUCCEEDED} else 0
        return Facts(alert, row["severity"], failures, streak, address_of(alert.runbook), remark)
