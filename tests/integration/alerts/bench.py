"""An outbox in front of real servers, with a clock that only the test moves, and every path that reports an alert."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from include.core.warehouse.connect import Session
from include.ops.alerts.alert import Alert, Failure, Kind
from include.ops.alerts.delivery import DeliveryError
from include.ops.alerts.message import Facts, compose
from include.ops.alerts.outbox import ROLL_UP, Outbox
from tests.integration.alerts.servers import Mail, Slack

RUN = Alert(
    kind=Kind.FAILED,
    dag_id="spell",
    run_id="scheduled__2024-06-01",
    attempt="0.1717200000",
    owner="data-platform",
    schedule="At 00:00, UTC",
    advice="Clear the run.",
    run_url="http://localhost:8080/dags/spell/runs/scheduled__2024-06-01",
)
LOG = "http://localhost:8080/dags/spell/runs/scheduled__2024-06-01/tasks/"


class WithoutOutbox(Outbox):
    """What most repositories do: send from the callback, without a retry."""

    def put(self, alert: Alert, now: datetime, **_: Any) -> None:
        del now
        for route in self.routing.routes(alert):
            try:
                self.deliver(route, compose(Facts(alert, self.routing.severity(alert), alert.failures)))
            except DeliveryError:
                continue

    def send(self, alert: Alert, now: datetime) -> int:
        del alert, now
        return 0

    def drain(self, now: datetime) -> tuple[int, int]:
        del now
        return 0, 0


@dataclass
class Bench:
    """What a scenario works on.

    Each method named after a path stores the alert as that path does; ``minute`` is one round of ``alerts_drain``.
    """

    outbox: Outbox
    slack: Slack
    mail: Mail
    now: datetime = datetime(2024, 6, 2, 6, 0, tzinfo=UTC)
    pending: list[Alert] = field(default_factory=list)

    @property
    def session(self) -> Session:
        return self.outbox.session

    def task_failure(self, *failures: Failure, run: Alert = RUN) -> None:
        """The task's own callback."""
        for failure in failures:
            self.outbox.put(replace(run, failures=(failure,)), self.now, wait=ROLL_UP)

    def run_failure(self, failure: Failure | None = None, run: Alert = RUN) -> None:
        """The scheduler's listener, and the DAG's callback, which doesn't know the error."""
        known = (replace(failure, error=""),) if failure else ()
        self.keep_pending(replace(run, failures=known))
        self.say(replace(run, failures=known))

    def keep_pending(self, alert: Alert) -> None:
        """The scheduler's or the DAG processor's listener; what it parks belongs to the outbox."""
        if not isinstance(self.outbox, WithoutOutbox):
            self.pending.append(alert)

    def say(self, alert: Alert) -> None:
        """A callback that sends at once."""
        self.outbox.put(alert, self.now)
        self.outbox.send(alert, self.now)

    def minute(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += timedelta(minutes=1)
            for alert in self.pending:
                self.outbox.put(alert, self.now)
            self.pending.clear()
            self.outbox.drain(self.now)

    def in_slack(self) -> list[tuple[str, str]]:
        """Channel and text of each message."""
        return [(body["channel"], html.unescape(body["text"])) for body in self.slack.received]

    def in_mail(self) -> list[tuple[str, str]]:
        return [(str(mail["To"]), str(mail["Subject"])) for mail in self.mail.received]

    def one_alert(self, text: str, *, mails: int = 1) -> None:
        """Assert that there is one message on each channel, with this text."""
        assert self.in_slack() == [("#data-alerts", text)]
        assert self.in_mail() == [("data-platform@example.org", text)] * mails


def failure(error: str = "ValueError: the cauldron is empty", **fields: Any) -> Failure:
    known: dict[str, Any] = {
        "task_id": "brew",
        "try_number": 4,
        "max_tries": 4,
        "error": error,
        "log_url": f"{LOG}brew?try_number=4",
    }
    return Failure(**(known | fields))
