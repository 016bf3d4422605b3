"""Calls with a budget: calls a minute, a total deadline, a size cap, retries of what may pass; a key is never shown."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urljoin, urlsplit

import requests
import urllib3
from tenacity import RetryCallState, Retrying, before_sleep_log, retry_if_exception_type, stop_before_delay
from tenacity.wait import wait_exponential_jitter

from include.core.errors import ConfigurationError, PermanentUpstreamError, TransientUpstreamError
from include.core.http.egress import Egress, GuardedAdapter, origin
from include.core.http.rate_limit import RateLimitError
from include.core.http.responses import Answer, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.core.http.rate_limit import RateLimiter

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
STANDARD_HEADERS = {"Accept": "application/json", "User-Agent": "spellbook"}
GRACE = 1.0  # seconds that a try has in any case, so that the last one ends with its own error
KEY = re.compile(r"((?:appid|apikey)=)[^&\s]+")
REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Limits:
    """Bounds of one call, its retries included.

    Attributes:
        deadline: seconds for all tries and waits together.
        connect: seconds to connect.
        silence: seconds that the upstream may be silent, before its answer or within it.
        size: bytes that an answer may have, uncompressed.
        backoff: seconds before the first retry; doubled with each, with jitter of as much.
        redirects: how many redirects are followed, each only to where calls are allowed.
    """

    deadline: float = 120.0
    connect: float = 5.0
    silence: float = 15.0
    size: int = 5_000_000
    backoff: float = 1.0
    redirects: int = 0


@dataclass(frozen=True)
class HttpApi:
    """One upstream.

    Attributes:
        name: as messages call it.
        egress: where calls may go; redirects too.
        limiter: bounds the calls over all workers; asked before every try. ``None`` where the upstream sets no budget.
        limits: bounds of each :meth:`call`.
        secrets: query parameters that go into the request but into no message or log.
        token: bearer token for the request's header, likewise.
        hints: what to do about a status, beside the general :data:`HINTS`.
    """

    name: str
    egress: Egress
    limiter: RateLimiter | None
    limits: Limits = Limits()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    hints: Mapping[int, str] = field(default_factory=dict)

    def get(self, url: str, parameters: Mapping[str, str]) -> Answer:
        """Return what a GET answers, whose text is complete JSON; raises as :meth:`call` does."""
        return self.call("GET", url, parameters)

    def call(
        self,
        method: str,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer, whose text is complete JSON.

        A call is tried again when its answer was lost: one that changes something must be the same when repeated.

        Args:
            method: ``GET``, ``POST``, … Redirects are followed for GET only.
            url: address without query.
            parameters: query.
            body: sent as JSON.
            headers: further headers.

        Raises:
            ForbiddenAddressError: ``url``, or a redirect, leads where no call may go.
            PermanentUpstreamError: the API refuses the request; the message says what to fix.
            TransientUpstreamError: no usable answer before the deadline, or the API asks to wait for longer than that.
        """
        started = time.monotonic()
        retrying = Retrying(
            retry=retry_if_exception_type(TransientUpstreamError),
            wait=self._wait,
            stop=stop_before_delay(self.limits.deadline),
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )
        request = requests.Request(method, url, headers, json=body, params=dict(parameters or {}))
        return retrying(self._try, request, started + self.limits.deadline)

    def _wait(self, state: RetryCallState) -> float:
        backoff = wait_exponential_jitter(multiplier=self.limits.backoff, max=30, jitter=self.limits.backoff)(state)
        error = state.outcome.exception() if state.outcome else None
        return max(backoff, getattr(error, "retry_after", None) or 0.0)

    def _try(self, request: requests.Request, end: float) -> Answer:
        if self.limiter:
            try:
                self.limiter.acquire(timeout=max(end - time.monotonic(), 0))
            except RateLimitError as error:
                raise TransientUpstreamError(str(error), retry_after=error.wait) from error
        end = max(end, time.monotonic() + GRACE)
        url = str(request.url)
        problem: BaseException
        try:
            answer = self._follow(request, end)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            problem = error
        else:
            return self._checked(answer, url)
        # Raised out here so that the cause, whose message holds the address with the key, isn't chained to it.
        raise TransientUpstreamError(f"{self.name} at {url}: {self._shown(repr(_root(problem)))}")

    def _follow(self, request: requests.Request, end: float) -> Answer:
        """Ask, and ask again where a redirect leads; credentials go to the first host only."""
        url = str(request.url)
        own = origin(url)
        with requests.Session() as session:
            session.mount("http://", GuardedAdapter(self.egress))
            session.mount("https://", GuardedAdapter(self.egress))
            query = {**dict(request.params), **self.secrets}
            for redirects_left in range(self.limits.redirects if request.method == "GET" else 0, -1, -1):
                self.egress.check(url)
                headers = {**STANDARD_HEADERS, **request.headers}
                if self.token and origin(url) == own:
                    headers["Authorization"] = f"Bearer {self.token}"
                with session.request(
                    str(request.method),
                    url,
                    params=query,
                    json=request.json,
                    headers=headers,
                    timeout=(self.limits.connect, min(self.limits.silence, max(end - time.monotonic(), GRACE))),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    text = self._body(response.raw, url, end).decode(response.encoding or "utf-8", errors="replace")
                location = response.headers.get("Location")
                if response.status_code not in REDIRECTS or not location or not redirects_left:
                    break
                url, query = urljoin(url, location), {}
        return Answer(response.status_code, response.headers, text)

    def _body(self, raw: urllib3.HTTPResponse, url: str, end: float) -> bytes:
        """Read the body piece by piece, so that an upstream that trickles bytes meets the deadline."""
        body = bytearray()
        while piece := raw.read1(CHUNK, decode_content=True):
            body += piece
            if len(body) > self.limits.size:
                raise PermanentUpstreamError(
                    f"{self.name} at {url}: the answer is larger than {self.limits.size} bytes"
                )
            if time.monotonic() > end:
                raise TransientUpstreamError(
                    f"{self.name} at {url}: no complete answer within {self.limits.deadline:g} s"
                )
        return bytes(body)

    def _checked(self, answer: Answer, url: str) -> Answer:
        try:
            good = checked(self.name, url, answer, self.hints, self._shown)
        except TransientUpstreamError as error:
            if self.limiter and error.retry_after is not None:
                self.limiter.penalise(error.retry_after)
            raise
        if good.replayed_from:
            log.info("%s at %s: sample data, replay of %s", self.name, url, good.replayed_from)
        return good

    def _shown(self, text: str) -> str:
        """Return ``text`` without the secrets, as they are or as they stand in an address."""
        for secret in filter(None, (*self.secrets.values(), self.token)):
            text = text.replace(secret, "***").replace(quote_plus(secret), "***")
        return text


def connection_url(
    conn_id: str, host: str | None, schema: str | None, port: int | None, example: str = "https://api.example.com"
) -> str:
    """Return scheme, host and port that an Airflow connection of an HTTP API names; ``https`` if it names no scheme.

    Raises:
        ConfigurationError: if its host is neither a host nor an http(s) URL.
    """
    if not host:
        raise ConfigurationError(f"connection {conn_id!r}: host: empty; put a URL like {example} there")
    url = host if "://" in host else f"{schema or 'https'}://{host}"
    return checked_url(conn_id, "host", url, port, example)


def checked_url(
    conn_id: str, field: str, value: str, port: int | None = None, example: str = "https://api.example.com"
) -> str:
    """Return ``value`` without a trailing slash and with ``port``, unless it has one.

    Raises:
        ConfigurationError: naming connection, field and value, if it isn't a plain http(s) URL.
    """
    problem = f"connection {conn_id!r}: {field}: {value!r} isn't a URL like {example}"
    try:
        origin(value)
    except ConfigurationError as error:
        raise ConfigurationError(problem) from error
    parts = urlsplit(value)
    if parts.query or parts.fragment:
        raise ConfigurationError(problem)
    netloc = parts.netloc if parts.port or not port else f"{parts.netloc}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


class _HideKeys(logging.Filter):
    """Keeps keys out of urllib3's debug log, which has the query of every request."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(KEY.sub(r"\1***", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_HideKeys())


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
