"""What can go wrong at AWS; tells what is worth another try."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from include.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Codes that botocore's standard retry mode takes for throttling (botocore/retries/standard.py), which it has tried.
THROTTLING = frozenset({
    "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip


class ThrottledError(Exception):
    """AWS has asked for fewer calls, through all of botocore's own tries; worth another one later."""


class RefusedCallError(PermanentError):
    """AWS refuses the call: the same call will be refused again."""


class ExistsAlreadyError(RefusedCallError):
    """What was to be created is there."""


class EndpointError(PermanentError):
    """The new endpoint doesn't answer as the model does; the old one serves on."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise what AWS answers as one of these errors; connections that fail pass as they are.

    Raises:
        ThrottledError: if AWS asks for fewer calls, or is broken for now (5xx).
        ExistsAlreadyError: if what was to be created is there.
        RefusedCallError: if AWS refuses.
    """
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in THROTTLING or status >= 500:
            raise ThrottledError(f"{what}: {error}") from error
        if "already existing" in error.response["Error"]["Message"]:
            raise ExistsAlreadyError(f"{what}: {error}") from error
        raise RefusedCallError(f"{what}: {error}") from error
