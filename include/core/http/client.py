"""The HTTP client: one policy of egress rules, limits, retries and masked keys, for synchronous and async code."""

from __future__ import annotations

import io
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

import anyio
import httpx
from tenacity import RetryCallState, Retrying, before_sleep_log, retry_if_exception_type, stop_before_delay
from tenacity.wait import wait_exponential_jitter

from include.core.errors import ConfigurationError, PermanentUpstreamError, TransientUpstreamError
from include.core.http.bodies import ACCEPT_ENCODING, any_text, json_text
from include.core.http.egress import Egress, joined, origin
from include.core.http.rate_limit import RateLimitError
from include.core.http.responses import SUCCESSES, Response, check_json, check_status
from include.core.http.transport import GuardedTransport, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

    from include.core.http.rate_limit import RateLimiter

log = logging.getLogger(__name__)

STANDARD_HEADERS = {"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING, "User-Agent": "spellbook"}
GRACE = 3.0  # minimum seconds for a try, so that the last one fails with its own error
MAX_ERROR_BODY = 1_000_000  # bytes that are read of a response without success
REDIRECTS = {301, 302, 303, 307, 308}
MASKED_HEADER = 4  # characters; shorter values, such as a version, aren't secret
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

    Proxies and ``.netrc`` files are not used. Redirects are followed for GET only; credentials and headers of the
    request are sent to the first origin only.

    Attributes:
        name: name used in messages.
        egress: where calls and redirects may go.
        limiter: rate limit shared by all workers, applied to every try of :meth:`call`; ``None`` if there is none.
        limits: limits of each call.
        secrets: query parameters that are masked in messages.
        token: bearer token; masked in messages.
        headers: headers of each request; masked in messages.
        hints: advice by status, in addition to :data:`include.core.http.responses.HINTS`.
    """

    name: str
    egress: Egress
    limiter: RateLimiter | None = None
    limits: Limits = Limits()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hints: Mapping[int, str] = field(default_factory=dict)

    def get(self, url: str, parameters: Mapping[str, str] | None = None) -> Response:
        """Send a GET request; returns and raises as :meth:`call` does."""
        return self.call("GET", url, parameters)

    def call(
        self,
        method: str,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the response, whose text is complete JSON.

        A call is retried when its response was lost, so requests must be idempotent.

        Args:
            method: ``GET``, ``POST``, …
            url: URL.
            parameters: query parameters, added to those of the URL.
            body: sent as JSON.
            headers: further headers.

        Raises:
            ForbiddenAddressError: ``url`` or a redirect may not be called.
            PermanentUpstreamError: the API rejects the request; the message says what to fix.
            TransientUpstreamError: no usable response before the deadline, or ``Retry-After`` exceeds it.
        """
        request = self._request(method, url, parameters, body, headers)
        end = time.monotonic() + self.limits.deadline
        response = Retrying(
            retry=retry_if_exception_type(TransientUpstreamError),
            wait=self._wait,
            stop=stop_before_delay(self.limits.deadline),
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )(self._try, request, url, end)
        if response.replayed_from:
            log.info("%s at %s: sample data, replay of %s", self.name, self.mask(url), response.replayed_from)
        return response

    async def once(
        self,
        method: str,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Make one attempt, without the rate limit; otherwise like :meth:`call`."""
        return await self._json(self._request(method, url, parameters, body, headers), url, self.limits.deadline)

    async def fetch(
        self,
        into: IO[bytes],
        url: str,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, str]:
        """Get content of any kind, in one attempt without the rate limit; return the headers of the response.

        Args:
            into: receives the body as sent, see :func:`include.core.http.bodies.decoded`.
            url: URL.
            parameters: query parameters, added to those of the URL.
            headers: further headers.

        Raises: what :meth:`call` does.
        """
        request = self._request("GET", url, parameters, None, {"Accept": "*/*", **(headers or {})})
        return (await self._send(request, url, into, self.limits.deadline)).headers

    def mask(self, text: str) -> str:
        """Mask the secrets in ``text``, both plain and URL-encoded."""
        headers = (value for value in self.headers.values() if len(value) >= MASKED_HEADER)
        for secret in filter(None, (*self.secrets.values(), self.token, *headers)):
            text = text.replace(secret, "***").replace(quote_plus(secret), "***")
        return text

    def _wait(self, state: RetryCallState) -> float:
        backoff = wait_exponential_jitter(multiplier=self.limits.backoff, max=30, jitter=self.limits.backoff)(state)
        error = state.outcome.exception() if state.outcome else None
        return max(backoff, getattr(error, "retry_after", None) or 0.0)

    def _try(self, request: httpx.Request, url: str, end: float) -> Response:
        if self.limiter:
            try:
                self.limiter.acquire(timeout=max(end - time.monotonic(), 0))
            except RateLimitError as error:
                raise TransientUpstreamError(str(error), retry_after=error.wait) from error
        try:
            return run(self._json, request, url, max(end - time.monotonic(), GRACE))
        except TransientUpstreamError as error:
            if self.limiter and error.retry_after is not None:
                self.limiter.penalise(error.retry_after)
            raise

    def _request(
        self,
        method: str,
        url: str,
        parameters: Mapping[str, str] | None,
        body: Any,
        headers: Mapping[str, str] | None,
    ) -> httpx.Request:
        self.egress.check(url)  # before a call is booked
        sent = {**STANDARD_HEADERS, **self.headers, **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        for name, value in sent.items():
            if not (value.isascii() and value.isprintable()):
                raise ConfigurationError(
                    f"{self.name}: header {name}: its value, which isn't shown, contains a line break or a character"
                    " outside ASCII; correct the connection's password or extra"
                )
        query = {**(parameters or {}), **self.secrets}
        full = httpx.URL(url)
        timeout = httpx.Timeout(self.limits.silence, connect=self.limits.connect).as_dict()
        return httpx.Request(
            method,
            full.copy_merge_params(query) if query else full,
            headers=sent,
            json=body,
            extensions={"timeout": timeout},
        )

    async def _json(self, request: httpx.Request, url: str, seconds: float) -> Response:
        content, where = io.BytesIO(), f"{self.name} at {self.mask(url)}"
        response = await self._send(request, url, content, seconds)
        text = json_text(content.getvalue(), response.headers.get("Content-Encoding"), self.limits.size, where)
        return check_json(where, Response(response.status_code, response.headers, text), self.mask)

    async def _send(self, request: httpx.Request, url: str, into: IO[bytes], seconds: float) -> httpx.Response:
        """Return a successful response, whose body is then in ``into``; ``url`` is for messages."""
        where = f"{self.name} at {self.mask(url)}"
        try:
            with anyio.fail_after(seconds):
                response = await self._follow(request, into, where)
        except TimeoutError:
            problem = f"no complete response within {self.limits.deadline:g} s"
        except httpx.ConnectTimeout:
            problem = f"no connection within {self.limits.connect:g} s"
        except httpx.TimeoutException:
            problem = f"no data for {self.limits.silence:g} s"
        except (httpx.HTTPError, OSError) as error:
            problem = self.mask(repr(_root(error)))
        else:
            if response.status_code not in SUCCESSES:
                into.seek(0)
                text = any_text(into.read(), response.headers.get("Content-Encoding"), MAX_ERROR_BODY)
                failure = Response(response.status_code, response.headers, text)
                check_status(self.name, self.mask(url), failure, self.hints, self.mask)
            return response
        # Raised outside the handler so that the cause, whose message may contain a key, isn't chained.
        raise TransientUpstreamError(f"{where}: {problem}")

    async def _follow(self, request: httpx.Request, into: IO[bytes], where: str) -> httpx.Response:
        """Send the request and follow redirects."""
        redirects_left = self.limits.redirects if request.method == "GET" else 0
        async with GuardedTransport(self.egress) as transport:
            while True:
                async with aclosing(await transport.handle_async_request(request)) as response:
                    link = response.headers.get("Location")
                    if response.status_code not in REDIRECTS or not link or not redirects_left:
                        await self._read(response, into, where)
                        return response
                redirects_left -= 1
                request = self._redirected(request, link)

    def _redirected(self, request: httpx.Request, link: str) -> httpx.Request:
        """Return the request for a redirect; what identifies the caller stays with the first origin."""
        target = httpx.URL(joined(str(request.url), link))
        parts = [(url.scheme, url.host, url.port) for url in (request.url, target)]
        headers = request.headers if parts[0] == parts[1] else STANDARD_HEADERS
        return httpx.Request("GET", target, headers=headers, extensions=request.extensions)

    async def _read(self, response: httpx.Response, into: IO[bytes], where: str) -> None:
        success, size = response.status_code in SUCCESSES, 0
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if success and size > self.limits.size:
                raise PermanentUpstreamError(f"{where}: the response is larger than {self.limits.size} bytes")
            into.write(chunk)
            if not success and size > MAX_ERROR_BODY:  # enough to find the reason in it
                return


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


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
