"""Classifies HTTP responses: usable, permanently rejected, or to be retried."""

from __future__ import annotations

import email.utils
import json
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from include.core import exact_json
from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.replay import HEADER, replayed_day

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    Mask = Callable[[str], str]

SUCCESSES = {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
MAX_TEXT = 5000  # characters of an error body that are searched for its reason
MAX_RETRY_AFTER = 3600.0
"""Maximum seconds that a ``Retry-After`` is obeyed, since a wrong one blocks the calls of all workers."""
TRANSIENT_REASON = re.compile(
    r"timeout|timed out|temporar|try again|retry|too many|rate.?limit|overload|unavailable|busy|internal.{0,8}error",
    re.IGNORECASE,
)
HINTS = {
    401: "set valid credentials in the connection's password",
    403: "these credentials lack the permission: use others, or another connection",
    404: "check the connection's host: it has no such endpoint",
}


class Response(NamedTuple):
    """Status, headers (case-insensitive) and the text of the body.

    ``replayed_from`` is the recorded day that a checked response replays, see :mod:`include.core.replay`.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    replayed_from: dt.date | None = None


def check_status(name: str, url: str, response: Response, hints: Mapping[int, str], mask: Mask) -> None:
    """Check that the status is that of a success.

    Args:
        name: the upstream, for messages.
        url: the requested URL, for messages.
        response: response to check.
        hints: advice by status, in addition to :data:`HINTS`.
        mask: masks the secrets in a text from the upstream.

    Raises:
        PermanentUpstreamError: the API rejects the request; the message says what to fix.
        TransientUpstreamError: the request can be retried; with the seconds of ``Retry-After``, if given.
    """
    status = response.status
    if status in SUCCESSES:
        return
    reason = _reason(mask(response.text))
    message = f"{name} answered {status} for {url}: {reason}"
    if status not in TRANSIENT and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        advice = {**HINTS, **hints}
        hint = advice[401] if "api key" in reason.lower() else advice.get(status, "check the connection's host")
        raise PermanentUpstreamError(f"{message}; {hint}", status)
    retry_after = requested_wait(response.headers)
    if retry_after is not None:
        message += f"; it asks to wait {retry_after:g} s"
        if retry_after > MAX_RETRY_AFTER:
            retry_after = MAX_RETRY_AFTER
            message += f"; the maximum of {retry_after:g} s is used"
    raise TransientUpstreamError(message, status, retry_after)


def check_json(where: str, response: Response, mask: Mask) -> Response:
    """Check that the text is complete JSON; return the response with ``replayed_from``.

    Raises:
        PermanentUpstreamError: it is JSON that can't be used, such as one nested too deeply.
        TransientUpstreamError: it isn't JSON, or is truncated.
    """
    try:
        exact_json.loads(response.text)
    except json.JSONDecodeError as error:
        start = " ".join(mask(response.text[:MAX_TEXT]).split())[:80]
        raise TransientUpstreamError(
            f"{where}: the response isn't complete JSON ({error}); it starts with {start!r}", response.status
        ) from None
    except ValueError as error:
        raise PermanentUpstreamError(f"{where}: the response can't be read: {error}", response.status) from None
    try:
        return response._replace(replayed_from=replayed_day(response.headers))
    except ValueError as error:
        raise PermanentUpstreamError(f"{where}: header {HEADER}: {error}", response.status) from None


def _reason(text: str) -> str:
    """Return the message of an error body, else the body's start."""
    try:
        content = exact_json.loads(text)
    except ValueError:
        content = None
    return _in_a_line(_error_message(content) or text) or "no reason given"


def error_in(content: Any, field: str) -> str:
    """Return the reason in an API's error body that was sent with a success status; empty if it isn't one.

    Args:
        content: the parsed body.
        field: field that every successful response has.
    """
    if not isinstance(content, dict) or (field in content and not content.get("error")):
        return ""
    return _in_a_line(_error_message(content) or (exact_json.dumps(content) if content.get("error") else ""))


def is_transient(reason: str) -> bool:
    """Return whether the reason of an error body suggests a retry."""
    return TRANSIENT_REASON.search(reason) is not None


def _error_message(content: Any) -> str:
    if isinstance(content, dict) and isinstance(content.get("error"), dict):
        content = content["error"]
    if not isinstance(content, dict):
        return ""
    values = (content.get(name) for name in ("reason", "message", "detail", "error"))
    return next((str(value) for value in values if value and value is not True), "")


def _in_a_line(text: str) -> str:
    return " ".join(re.sub(r"<[^<>]*>", " ", text[:MAX_TEXT]).split())[:300]


def requested_wait(headers: Mapping[str, str]) -> float | None:
    """Return the requested seconds of ``Retry-After`` (RFC 9110, 10.2.3), which is a number or a date.

    A date is compared with the server's clock, if the response has a ``Date`` header. Other values are ignored.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    until = _seconds(value)
    if until is None:
        return None
    now = _seconds(headers.get("Date", ""))
    return max(until - (time.time() if now is None else now), 0.0)


def _seconds(date: str) -> float | None:
    """Return the seconds since 1970 of an HTTP date, ``None`` if it isn't one."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
