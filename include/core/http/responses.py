"""What an HTTP answer means: usable, refused for good, or worth another try."""

from __future__ import annotations

import email.utils
import json
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.replay import HEADER, replayed_day

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

SUCCESSES = {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
HINTS = {
    401: "put valid credentials into the connection's password",
    403: "these credentials may not ask for this: choose others, or another connection",
    404: "check the connection's host: it has no such endpoint",
}


class Answer(NamedTuple):
    """What came back: status, headers (by name, in any case) and the body's text.

    ``replayed_from`` is the recorded day that a checked answer replays, see :mod:`include.core.replay`.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    replayed_from: dt.date | None = None


def checked(
    name: str, url: str, answer: Answer, hints: Mapping[int, str], shown: Callable[[str], str] = lambda text: text
) -> Answer:
    """Return a good answer.

    Args:
        name: the upstream, for messages.
        url: what was called, for messages.
        answer: what came back.
        hints: what to do about a status, beside :data:`HINTS`.
        shown: takes the secrets out of a text of the upstream's.

    Raises:
        PermanentUpstreamError: the API refuses the request; the message says what to fix.
        TransientUpstreamError: it may answer better later; with the seconds of ``Retry-After``, if it has one.
    """
    status = answer.status
    if status in SUCCESSES:
        try:
            json.loads(answer.text)
        except ValueError as error:
            begin = shown(" ".join(answer.text[:80].split()))
            raise TransientUpstreamError(
                f"{name} at {url}: the answer isn't complete JSON ({error}); it begins with {begin!r}", status
            ) from None
        try:
            return answer._replace(replayed_from=replayed_day(answer.headers))
        except ValueError as error:
            raise PermanentUpstreamError(f"{name} at {url}: header {HEADER}: {error}", status) from None
    reason = shown(_reason(answer.text))
    message = f"{name} answered {status} for {url}: {reason}"
    if status not in TRANSIENT and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        advice = {**HINTS, **hints}
        hint = advice[401] if "api key" in reason.lower() else advice.get(status, "check the connection's host")
        raise PermanentUpstreamError(f"{message}; {hint}", status)
    retry_after = _retry_after(answer.headers)
    if retry_after is not None:
        message += f"; it asks to wait {retry_after:g} s"
    raise TransientUpstreamError(message, status, retry_after)


def _reason(text: str) -> str:
    """Return the message of an error body (``reason``, ``message`` or ``error.message``), else its first words."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if isinstance(content, dict) and isinstance(content.get("error"), dict):
        content = content["error"]
    if isinstance(content, dict):
        text = str(content.get("reason") or content.get("message") or text)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())[:300] or "no reason given"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After`` (RFC 9110, 10.2.3), which is a number or a date.

    A date is compared with the server's own clock, if the answer shows it.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value).timestamp()
    except ValueError:
        return None
    try:
        now = email.utils.parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except ValueError:
        now = time.time()
    return max(until - now, 0.0)
