"""Delivers messages through the providers' hooks: a single attempt with a short timeout.

The hooks' own retries are disabled: they sleep in a process that Airflow is about to kill, and may send twice.
"""

from __future__ import annotations

import logging
import smtplib
from typing import TYPE_CHECKING, Any

from include.core.http.responses import MAX_RETRY_AFTER, requested_wait
from include.ops.alerts.message import escape
from include.ops.alerts.routing import Medium, Route

if TYPE_CHECKING:
    from include.ops.alerts.message import Message

TIMEOUT_SECONDS = 5
SEND_SECONDS = 8  # after which a callback, which Airflow kills after 20 seconds, leaves further routes to the drain
MESSAGE_ERRORS = {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text"}

log = logging.getLogger(__name__)


class DeliveryError(Exception):
    """A delivery attempt failed.

    Attributes:
        retry_after: seconds to wait, if the server requested it.
        refused: whether the message itself was rejected, so that later ones needn't wait for it.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, refused: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.refused = refused


def deliver(route: Route, message: Message) -> None:
    """Send the message; to Slack as plain text if it refuses the blocks.

    Raises:
        DeliveryError: if it wasn't accepted.
    """
    if route.medium is Medium.MAIL:
        _mail(route, message)
        return
    try:
        _slack(route, {"text": escape(message.summary), "blocks": message.blocks})
    except DeliveryError as error:
        if not (error.refused and message.plain):
            raise
        log.warning("%s refused the blocks of %r (%s); sending plain text", route, message.summary, error)
        _slack(route, {"text": escape(message.plain)})


def _slack(route: Route, content: dict[str, Any]) -> None:
    from airflow.sdk import Connection

    body = content | {"mrkdwn": False, "channel": route.recipient, "username": route.username}
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
    response = hook.client.send_dict(body)
    _raise_for_status(response.status_code, str(response.body), response.headers)


def _slack_api(conn_id: str, body: dict[str, Any]) -> None:
    from airflow.providers.slack.hooks.slack import SlackHook
    from slack_sdk.errors import SlackApiError

    hook = SlackHook(slack_conn_id=conn_id, timeout=TIMEOUT_SECONDS, retry_handlers=[])
    try:
        hook.call("chat.postMessage", json=body)
    except SlackApiError as error:
        response = error.response
        reason = str(response.get("error"))
        if response.status_code == 200:  # Slack rejects messages and senders with status 200
            raise DeliveryError(f"Slack answered {reason}", refused=reason in MESSAGE_ERRORS) from error
        _raise_for_status(response.status_code, reason, dict(response.headers))


def _raise_for_status(status: int, body: str, headers: dict[str, Any]) -> None:
    """Raise for an error status: 400 is about the message, 403, 404 and 410 are about the webhook."""
    if 200 <= status < 300:
        return
    header = {name.lower(): value for name, value in headers.items()}.get("retry-after")
    value = header[0] if isinstance(header, list) else header
    wait = requested_wait({"Retry-After": str(value)})
    retry_after = None if wait is None else min(wait, MAX_RETRY_AFTER)
    raise DeliveryError(f"Slack answered {status}: {body[:200]}", retry_after=retry_after, refused=status == 400)


def _mail(route: Route, message: Message) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    class SingleAttemptHook(SmtpHook):
        @property
        def timeout(self) -> int:
            return TIMEOUT_SECONDS

        @property
        def smtp_retry_limit(self) -> int:
            return 0

    try:
        with SingleAttemptHook(smtp_conn_id=route.conn_id) as hook:
            hook.send_email_smtp(to=route.recipient, subject=message.summary[:200], html_content=message.html)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
        raise DeliveryError(_reason(error), refused=_is_permanent(error)) from error
    except Exception as error:
        raise DeliveryError(_reason(error)) from error


def _is_permanent(error: smtplib.SMTPException) -> bool:
    """5xx is permanent, 4xx is transient (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500


def _reason(error: Exception) -> str:
    from include.ops.alerts.wording import error_in_a_line

    return error_in_a_line(error)
