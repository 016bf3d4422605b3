"""HTTP client with a rate limit, a total deadline, a size limit, retries and masked keys."""

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
from include.core.http.bodies import ACCEPT_ENCODING
from include.core.http.egress import Egress, GuardedAdapter, origin
from include.core.http.rate_limit import RateLimitError
from include.core.http.responses import Response, check_response, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

    from include.core.http.rate_limit import RateLimiter

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
STANDARD_HEADERS = {"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING, "User-Agent": "spellbook"}
GRACE = 1.0  # minimum seconds for a try, so that the last one fails with its own error
API_KEY = re.compile(r"((?:appid|apikey)=)[^&\s]+")
REDIRECTS = {301, 302, 303, 307, 308}
EXAMPLE = "https://api.example.com"


@dataclass(frozen=True)
class Limits:
    """Limits of one call, including its retries.

    Attributes:
        deadline: seconds for all tries and waits together.
        connect: seconds to connect.
        silence: seconds to wait for data, before the response or within it.
        size: maximum bytes of a response, uncompressed.
        backoff: seconds before the first retry; doubled with each, with jitter of the same size.
        redirects: how many redirects are followed, subject to the egress rules.
    """

    deadline: float = 120.0
    connect: float = 5.0
    silence: float = 15.0
    size: int = 5_000_000
    backoff: float = 1.0
    redirects: int = 0


@dataclass(frozen=True)
class HttpApi:
    """An upstream API.

    Attributes:
        name: name used in messages.
        egress: where calls and redirects may go.
        limiter: rate limit shared by all workers, applied to every try; ``None`` if the upstream sets no limit.
        limits: limits of each :meth:`call`.
        secrets: query parameters that are masked in messages and logs.
        token: bearer token; masked in messages and logs.
        hints: advice by status, in addition to :data:`include.core.http.responses.HINTS`.
    """

    name: str
    egress: Egress
    limiter: RateLimiter | None
    limits: Limits = Limits()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    hints: Mapping[int, str] = field(default_factory=dict)

    def get(self, url: str, parameters: Mapping[str, str]) -> Response:
        """Send a GET request; returns and raises as :meth:`call` does."""
        return self.call("GET", url, parameters)

    def call(
        self,
        method: str,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the response, whose text is complete JSON.

        A call is retried when its response was lost, so requests must be idempotent.

        Args:
            method: ``GET``, ``POST``, … Redirects are followed for GET only.
            url: URL without query.
            parameters: query parameters.
            body: sent as JSON.
            headers: further headers.

        Raises:
            ForbiddenAddressError: ``url`` or a redirect may not be called.
            PermanentUpstreamError: the API rejects the request; the message says what to fix.
            TransientUpstreamError: no usable response before the deadline, or ``Retry-After`` exceeds it.
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

    def _try(self, request: requests.Request, end: float) -> Response:
        if self.limiter:
            try:
                self.limiter.acquire(timeout=max(end - time.monotonic(), 0))
            except RateLimitError as error:
                raise TransientUpstreamError(str(error), retry_after=error.wait) from error
        end = max(end, time.monotonic() + GRACE)
        url = str(request.url)
        problem: BaseException
        try:
            response = self._follow(request, end)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            problem = error
        else:
            return self._check(response, url)
        # Raised outside the handler so that the cause, whose message contains the URL with the key, isn't chained.
        raise TransientUpstreamError(f"{self.name} at {url}: {self.mask(repr(_root(problem)))}")

    def _follow(self, request: requests.Request, end: float) -> Response:
        """Send the request and follow redirects; credentials are sent to the first origin only."""
        url = str(request.url)
        first_origin = origin(url)
        with requests.Session() as session:
            session.mount("http://", GuardedAdapter(self.egress))
            session.mount("https://", GuardedAdapter(self.egress))
            query = {**dict(request.params), **self.secrets}
            for redirects_left in range(self.limits.redirects if request.method == "GET" else 0, -1, -1):
                self.egress.check(url)
                headers = {**STANDARD_HEADERS, **request.headers}
                if self.token and origin(url) == first_origin:
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
                    body = self._body(response.raw, url, end)
                location = response.headers.get("Location")
                if response.status_code not in REDIRECTS or not location or not redirects_left:
                    break
                url, query = urljoin(url, location), {}
        text = read_text(f"{self.name} at {url}", response.status_code, response.headers, body, self.limits.size)
        return Response(response.status_code, response.headers, text)

    def _body(self, raw: urllib3.HTTPResponse, url: str, end: float) -> bytes:
        """Read the body in chunks, to enforce the deadline for a slow upstream."""
        body = bytearray()
        while chunk := raw.read1(CHUNK, decode_content=False):
            body += chunk
            if len(body) > self.limits.size:
                raise PermanentUpstreamError(
                    f"{self.name} at {url}: the response is larger than {self.limits.size} bytes"
                )
            if time.monotonic() > end:
                raise TransientUpstreamError(
                    f"{self.name} at {url}: no complete response within {self.limits.deadline:g} s"
                )
        return bytes(body)

    def _check(self, response: Response, url: str) -> Response:
        try:
            result = check_response(self.name, url, response, self.hints, self.mask)
        except TransientUpstreamError as error:
            if self.limiter and error.retry_after is not None:
                self.limiter.penalise(error.retry_after)
            raise
        if result.replayed_from:
            log.info("%s at %s: sample data, replay of %s", self.name, url, result.replayed_from)
        return result

    def mask(self, text: str) -> str:
        """Mask the secrets in ``text``, both plain and URL-encoded."""
        for secret in filter(None, (*self.secrets.values(), self.token)):
            text = text.replace(secret, "***").replace(quote_plus(secret), "***")
        return text


def connection_url(connection: Connection, example: str = EXAMPLE, default: str = "") -> str:
    """Return the base URL of an Airflow HTTP connection; the scheme defaults to ``https``.

    Args:
        connection: Airflow's.
        example: a URL, for the message.
        default: the URL if the connection names no host.

    Raises:
        ConfigurationError: if the host is neither a host name nor an http(s) URL, or is missing without a default.
    """
    host = connection.host
    if not host and default:
        return default
    if not host:
        raise ConfigurationError(f"connection {connection.conn_id!r}: host: empty; set it to a URL like {example}")
    url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    return checked_url(connection, "host", url, connection.port, example)


def checked_url(connection: Connection, field: str, value: str, port: int | None = None, example: str = EXAMPLE) -> str:
    """Return ``value`` without a trailing slash, with ``port`` added unless it has one.

    Raises:
        ConfigurationError: naming connection, field and value, if it isn't a plain http(s) URL.
    """
    problem = f"connection {connection.conn_id!r}: {field}: {value!r} isn't a URL like {example}"
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
    """Masks keys in urllib3's debug log, which contains the query of every request."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(API_KEY.sub(r"\1***", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_HideKeys())


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
