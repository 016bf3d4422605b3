"""Translates errors of AWS into transient and permanent ones."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from include.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Codes that botocore's standard retry mode treats as throttling (botocore/retries/standard.py), after its retries.
THROTTLING = frozenset({
    "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip


class ThrottledError(Exception):
    """AWS throttled the call through all of botocore's retries; it can be retried later."""


class RefusedCallError(PermanentError):
    """AWS rejected the call; the same call would be rejected again."""


class AlreadyExistsError(RefusedCallError):
    """The resource already exists."""


class EndpointError(PermanentError):
    """The new endpoint doesn't return the model's predictions; the old one stays live."""


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Translate an error response of AWS; connection errors pass unchanged.

    Raises:
        ThrottledError: if AWS throttles the call or temporarily fails (5xx).
        AlreadyExistsError: if the resource already exists.
        RefusedCallError: if AWS rejects the call.
    """
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in THROTTLING or status >= 500:
            raise ThrottledError(f"{what}: {error}") from error
        if "already existing" in error.response["Error"]["Message"]:
            raise AlreadyExistsError(f"{what}: {error}") from error
        raise RefusedCallError(f"{what}: {error}") from error
