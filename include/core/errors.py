"""What can go wrong with what we are given; each message says what to do."""

from __future__ import annotations


class PermanentError(Exception):
    """The same input fails again, so no retry can help: the cluster policy fails the task at once."""


class ConfigurationError(PermanentError, ValueError):
    """A setting, connection or parameter that we were given can't be used."""


class MissingInputError(Exception):
    """What a task reads isn't there yet; another DAG publishes it."""


class ForbiddenAddressError(ConfigurationError):
    """A URL leads where we may not call: to another host than declared, or into a network that isn't public."""


class UpstreamError(Exception):
    """An upstream didn't give a usable answer.

    Attributes:
        status: HTTP status; ``None`` if there was no answer at all.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


class PermanentUpstreamError(UpstreamError, PermanentError):
    """The upstream refuses the request (400, 401, 403, 404): the same request will be refused again."""


class TransientUpstreamError(UpstreamError):
    """The upstream is overloaded, broken or unreachable for now (429, 5xx, reset, time-out, answer cut short).

    Attributes:
        retry_after: seconds that the upstream asked us to wait; ``None`` if it didn't say.
    """

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None):
        super().__init__(message, status)
        self.retry_after = retry_after
