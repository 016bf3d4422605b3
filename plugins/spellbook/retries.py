"""Retry policies that determine the delay before the next try."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackoffInParams(RetryPolicy):
    """Exponential back-off configured by params: ``delay`` and ``cap`` in minutes, ``minute`` in seconds.

    With ``{"minute": 0.2}``, a run takes seconds instead of hours.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Return the delay after try ``try_number``: twice the previous one, at most the cap."""
        del exception, max_tries
        if context is None:
            return RetryDecision.default()
        params = context["params"]
        minutes = min(params["delay"] * 2 ** (try_number - 1), params["cap"])
        capped = ", the cap" if minutes == params["cap"] else ""
        return RetryDecision.retry(
            timedelta(seconds=minutes * params["minute"]),
            reason=f"{minutes:g} min{capped}; a minute lasts {params['minute']:g} s here",
        )
