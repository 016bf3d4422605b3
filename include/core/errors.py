"""Base exceptions; each message says how to fix the problem."""

from __future__ import annotations


class PermanentError(Exception):
    """A retry with the same input would fail again: the cluster policy fails the task at once."""


class ConfigurationError(PermanentError, ValueError):
    """A setting, connection or parameter is invalid."""


class UnreadableError(PermanentError, ValueError):
    """A file can't be read as rows; the message says why, and what is allowed.

    Attributes:
        line: line of the problem, from 1, if it is known.
        byte: offset of the first unreadable byte, from 0, if it is known.
    """

    def __init__(self, message: str, line: int | None = None, byte: int | None = None) -> None:
        super().__init__(message)
        self.line, self.byte = line, byte


class MissingInputError(Exception):
    """A task's input, published by another DAG, doesn't exist yet."""


class ForbiddenAddressError(ConfigurationError):
    """A URL leads to a host that isn't declared or to a network that isn't public."""


class UpstreamError(Exception):
    """An upstream didn't return a usable response.

    Attributes:
        status: HTTP status; ``None`` if there was no response.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


class PermanentUpstreamError(UpstreamError, PermanentError):
    """The upstream rejects the request (400, 401, 403, 404); a retry would be rejected too."""


class TransientUpstreamError(UpstreamError):
    """The upstream is temporarily overloaded, failing or unreachable (429, 5xx, reset, timeout, truncated response).

    Attributes:
        retry_after: seconds to wait, from the upstream's ``Retry-After``; ``None`` if not given.
    """

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None):
        super().__init__(message, status)
        self.retry_after = retry_after
