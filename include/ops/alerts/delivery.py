"""Delivery through the providers' hooks: one attempt with a short time-out, and what its failure means.

No hook's own retries are used: they sleep inside a process that Airflow is about to kill, and may send twice.
"""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING, Any

from include.ops.alerts.routing import Medium, Route

if TYPE_CHECKING:
    from include.ops.alerts.message import Message

TIMEOUT_SECONDS = 5
ABOUT_THE_MESSAGE = {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text"}


class DeliveryError(Exception):
    """An attempt failed.

    Attributes:
        retry_after: seconds that the other side asked us to wait, if it did.
        refused: whether the message itself was refused, so that others needn't wait for it.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, refused: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.refused = refused


def deliver(route: Route, message: Message) -> None:
    """Send the message.

    Raises:
        DeliveryError: if the other side didn't take it.
    """
    if route.medium is Medium.MAIL:
        _mail(route, message)
    else:
        _slack(route, message)


def is_there(conn_id: str) -> bool:
    """Tell whether Airflow has the connection."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        Connection.get(conn_id)
    except AirflowNotFoundException:
        return False
    return True


def _slack(route: Route, message: Message) -> None:
    from airflow.sdk import Connection

    body = {"text": message.summary, "blocks": message.blocks, "channel": route.recipient, "username": route.username}
    try:
        if Connection.get(route.conn_id).conn_type == "slack":
            _slack_api(route.conn_id, body)
        else:
            _slack_webhook(route.conn_id, body)
    except DeliveryError:
        raise
    except Exception as error:
        raise DeliveryError(_reason(error)) from error


def _slack_webhook(conn_id: str, body: dict[str, Any]) -> None:
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    hook = SlackWebhookHook(slack_webhook_conn_id=conn_id, timeout=TIMEOUT_SECONDS, retry_handlers=[])
    answer = hook.client.send_dict(body)
    _judge(answer.status_code, str(answer.body), answer.headers)


def _slack_api(conn_id: str, body: dict[str, Any]) -> None:
    from airflow.providers.slack.hooks.slack import SlackHook
    from slack_sdk.errors import SlackApiError

    hook = SlackHook(slack_conn_id=conn_id, timeout=TIMEOUT_SECONDS, retry_handlers=[])
    try:
        hook.call("chat.postMessage", json=body)
    except SlackApiError as error:
        answer = error.response
        reason = str(answer.get("error"))
        if answer.status_code == 200:  # Slack says in a 200 that it refuses the message, or whoever sends it
            raise DeliveryError(f"Slack answered {reason}", refused=reason in ABOUT_THE_MESSAGE) from error
        _judge(answer.status_code, reason, dict(answer.headers))


def _judge(status: int, said: str, headers: dict[str, Any]) -> None:
    """Raise what an HTTP status means: 400 is about the message, 403, 404 and 410 are about the webhook."""
    if 200 <= status < 300:
        return
    given = {name.lower(): value for name, value in headers.items()}.get("retry-after")
    asked = given[0] if isinstance(given, list) else given
    retry_after = float(str(asked)) if str(asked).isdigit() else None
    raise DeliveryError(f"Slack answered {status}: {said[:200]}", retry_after=retry_after, refused=status == 400)


def _mail(route: Route, message: Message) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    class ImpatientHook(SmtpHook):
        @property
        def timeout(self) -> int:
            return TIMEOUT_SECONDS

        @property
        def smtp_retry_limit(self) -> int:
            return 0

    try:
        with ImpatientHook(smtp_conn_id=route.conn_id) as hook:
            hook.send_email_smtp(
                to=route.recipient.split(", "), subject=message.summary[:200], html_content=message.html
            )
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
        raise DeliveryError(_reason(error), refused=_is_permanent(error)) from error
    except Exception as error:
        raise DeliveryError(_reason(error)) from error


def _is_permanent(error: smtplib.SMTPException) -> bool:
    """5xx is for ever, 4xx for now (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500


def _reason(error: Exception) -> str:
    from include.ops.alerts.wording import error_in_a_line

    return error_in_a_line(error)
