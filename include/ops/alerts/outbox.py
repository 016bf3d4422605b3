"""The outbox: table ``alert_outbox`` in the warehouse.

A row is locked during its delivery, and marked as sent in the same transaction. A crash in between leaves it unsent, so
it is sent again. Nothing is lost, and only such a crash can send a message twice, since neither Slack's webhooks nor
SMTP deduplicate messages.

Every lock ends with its transaction, so that a pooler such as PgBouncer may give each transaction another session.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from include.core.warehouse.storable import storable_text
from include.ops.alerts import history
from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.delivery import SEND_SECONDS, DeliveryError
from include.ops.alerts.message import Facts, Message, compose, digest
from include.ops.alerts.routing import Medium, Route, Routing, Silences
from include.ops.alerts.runbooks import address_of

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

Deliver = Callable[[Route, Message], None]

ROLL_UP = timedelta(seconds=30)  # how long more failures of a running run are added to the first
AT_ONCE = 10  # messages to a channel in a minute; more are combined into one
FIRST_DELAY, MAX_DELAY = timedelta(seconds=30), timedelta(minutes=15)
ATTEMPTS = 5  # to send a message that is refused, which takes 8 minutes; then other channels are told
SUSPECT = 3  # failed attempts after which the next message shows whether the channel or the message is at fault

log = logging.getLogger(__name__)

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
DUE = """
    SELECT id AS number, next_at > %s AS paused, refused, attempts FROM alert_outbox
    WHERE sent_at IS NULL AND due_at <= %s AND (medium, conn_id, recipient) = (%s, %s, %s) ORDER BY id
"""
# Held while a drain sends a message over a channel, so that drains at the same time keep the order.
TRY_LOCK = """
    SELECT pg_try_advisory_xact_lock(
        hashtextextended(concat_ws(' ', 'alert_outbox', %s::text, %s::text, %s::text), 0)
    )
"""
BUSY = DeliveryError("another drain is sending over this channel")


@dataclass(frozen=True)
class _Row:
    """A due row; ``paused`` until its next attempt."""

    number: int
    paused: bool
    refused: bool
    attempts: int


@dataclass(frozen=True)
class Outbox:
    """The outbox in a session.

    Attributes:
        session: session on the warehouse, without an open transaction.
        routing: where alerts are sent.
        silences: which alerts are suppressed.
        deliver: sends a message, or raises :class:`~include.ops.alerts.delivery.DeliveryError`.
        available: returns whether a connection exists; routes without one are skipped.
    """

    session: Session
    routing: Routing
    silences: Silences
    deliver: Deliver
    available: Callable[[str], bool] = lambda _: True

    def routes(self, alert: Alert) -> list[Route]:
        """Return the routes over which an alert is sent, without those that have no connection."""
        return [route for route in self.routing.routes(alert) if self.available(route.conn_id)]

    def put(
        self,
        alert: Alert,
        now: datetime,
        *,
        wait: timedelta = timedelta(0),
        sent: frozenset[str] = frozenset(),
        avoid: str = "",
    ) -> None:
        """Store an alert and its failures; idempotent.

        Args:
            alert: the alert.
            now: the current time, in UTC.
            wait: how long to wait for more failures before it is sent; a later call may shorten it, or add the text.
            sent: the routes, as text, over which it was already sent.
            avoid: a route, as text, that isn't used.
        """
        silenced = self.silences.reason(alert, now)
        routes = [route for route in self.routes(alert) if str(route) != avoid]
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
                "UPDATE alert_outbox SET sent_at = %s"
                " WHERE alert_key = %s AND medium || ' ' || recipient = ANY(%s) AND sent_at IS NULL",
                [now, alert.key, list(sent)],
            )

    def send(self, alert: Alert, now: datetime) -> int:
        """Send an alert that was just put, except over failing or busy channels; return how many messages were sent.

        What takes longer than :data:`~include.ops.alerts.delivery.SEND_SECONDS` is left to the drain.
        """
        until = time.monotonic() + SEND_SECONDS
        rows = self.session.execute(FRESH, {"alert_key": alert.key, "now": now, "at_once": AT_ONCE}).fetchall()
        return sum(self._send([int(str(number))], now) is None for (number,) in rows if time.monotonic() < until)

    def ready(self, now: datetime) -> list[int]:
        """Return the ids of the rows that :meth:`drain` would try to send."""
        return [row.number for channel in self._channels(now) for row in self._ready(channel, now)]

    def drain(self, now: datetime) -> tuple[int, int]:
        """Send waiting messages, oldest first; return how many were sent and remain.

        A failing channel pauses until its next attempt with all its messages, so that their order is kept; a refused
        message holds no other. A channel over which another drain is sending is left to that.

        Raises:
            Exception: the first error of a channel, after the other channels were drained.
        """
        sent = 0
        errors = []
        for channel in self._channels(now):
            try:
                sent += self._drain_channel(channel, now)
            except Exception as error:
                log.exception("draining %s", channel)
                errors.append(error)
        if errors:
            raise errors[0]
        return sent, self._waiting(now)

    def record_drain(self, now: datetime) -> None:
        """Store when everything that a round of ``alerts_drain`` does was done, or there was nothing to do."""
        self.session.execute("UPDATE alert_drain SET finished_at = %s", [now])

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

    def _ready(self, channel: tuple[object, ...], now: datetime) -> list[_Row]:
        """Return the rows of a channel to send now, in order; none while the channel pauses."""
        with self.session.cursor(row_factory=class_row(_Row)) as cursor:
            rows = cursor.execute(DUE, [now, now, *channel]).fetchall()
        if any(row.paused and not row.refused for row in rows):
            return []
        return [row for row in rows if not row.paused]

    def _drain_channel(self, channel: tuple[object, ...], now: datetime) -> int:
        ready = self._ready(channel, now)
        attempts = {row.number: row.attempts for row in ready}
        fresh = [row.number for row in ready if not row.refused]
        batches = [fresh] if len(fresh) > AT_ONCE else [[row.number] for row in ready]
        sent, suspect = 0, None
        while batches:
            batch = batches.pop(0)
            error = self._send(batch, now, channel)
            if error is None:
                sent += 1
                if suspect is not None:
                    self.session.execute("UPDATE alert_outbox SET refused = TRUE WHERE id = %s", [suspect])
                    suspect = None
                continue
            told_to_wait = error is BUSY or error.retry_after is not None
            may_be_at_fault = not told_to_wait and suspect is None and attempts[batch[0]] >= SUSPECT
            if not error.refused and not may_be_at_fault:
                break
            if len(batch) > 1:
                middle = len(batch) // 2
                batches[:0] = [batch[:middle], batch[middle:]]
            elif not error.refused:
                suspect = batch[0]
        return sent

    def _send(
        self, numbers: list[int], now: datetime, channel: tuple[object, ...] | None = None
    ) -> DeliveryError | None:
        """Deliver rows as one message and mark them as sent; return the error, if any.

        Rows that another process sends are skipped. ``channel`` is set in a drain.
        """
        with self.session.transaction():
            if channel and self.session.execute(TRY_LOCK, channel).fetchone() != (True,):
                return BUSY
            rows = self._claim(numbers)
            if not rows:
                return DeliveryError("another process is sending it", refused=True)
            try:
                self.deliver(self._route(rows[0]), self._message(rows, now))
            except DeliveryError as error:
                if not error.refused or len(rows) == 1:  # else the digest is split
                    self._postpone(rows, error, now)
                return error
            self.session.execute(
                "UPDATE alert_outbox SET attempts = attempts + 1, sent_at = %s, last_error = NULL WHERE id = ANY(%s)",
                [now, [row["id"] for row in rows]],
            )
            return None

    def _message(self, rows: list[dict[str, Any]], now: datetime) -> Message:
        """Return the message of a row, or the digest of several.

        Raises:
            DeliveryError: if a row can't be read as an alert.
        """
        try:
            messages = [compose(self._facts(row, now)) for row in rows]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DeliveryError(f"can't be composed: {error!r}"[:500], refused=True) from error
        if len(messages) == 1:
            return messages[0]
        return digest([message.summary for message in messages], str(rows[0]["severity"]))

    def _postpone(self, rows: list[dict[str, Any]], error: DeliveryError, now: datetime) -> None:
        """Set the time of the next attempt; after enough refusals, give up and tell other channels."""
        delay = min(FIRST_DELAY * 2 ** min(rows[0]["attempts"], 10), MAX_DELAY)
        if error.retry_after is not None:
            delay = max(delay, timedelta(seconds=error.retry_after))
        reason = storable_text(str(error))
        refused = error.refused or bool(rows[0]["refused"])
        self.session.execute(
            "UPDATE alert_outbox SET attempts = attempts + 1, next_at = %s, last_error = %s, refused = %s"
            " WHERE id = ANY(%s)",
            [now + delay, reason, refused, [row["id"] for row in rows]],
        )
        if refused and rows[0]["attempts"] + 1 >= ATTEMPTS:
            self._abandon(rows[0], reason, now)

    def _abandon(self, row: dict[str, Any], reason: str, now: datetime) -> None:
        """Mark a refused message as kept back, and send word of it over the other routes."""
        self.session.execute(
            "UPDATE alert_outbox SET sent_at = %s, kept_back = %s WHERE id = %s", [now, f"refused: {reason}", row["id"]]
        )
        route, body = self._route(row), row["body"]
        log.error("%s refused %s for good: %s", route, row["alert_key"], reason)
        if row["kind"] == Kind.UNDELIVERED:
            return
        word = Alert(
            kind=Kind.UNDELIVERED,
            dag_id=row["dag_id"],
            run_id=row["run_id"],
            subject=str(row["id"]),
            owner=str(body.get("owner", "")),
            text=f"{route} refused an alert ({row['kind']}): {reason}",
            advice=f"Read it in the table alert_outbox, id {row['id']}.",
            runbook="alerts_drain.md",
            run_url=str(body.get("run_url", "")),
        )
        self.put(word, now, avoid=str(route))

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
