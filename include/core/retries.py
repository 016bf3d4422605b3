"""Errors that a task isn't tried again for, and those that only take time."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

SAME_INPUT = "the same input fails again: mend what the error names, then clear the task"
MISSING_INPUT = RetryRule(
    exception="include.core.errors.MissingInputError",
    action=RetryAction.RETRY,
    retry_delay=timedelta(minutes=1),
    reason="the DAG that the error names may be about to publish it",
)
WAIT_FOR_INPUT = ExceptionRetryPolicy(rules=[MISSING_INPUT])
"""Retry policy that looks for a missing input each minute; any other error is tried again as ever."""


def hopeless(*errors: str | type[BaseException], reason: str = SAME_INPUT) -> ExceptionRetryPolicy:
    """Return a retry policy that gives up at once on ``errors``; any other error is treated as by WAIT_FOR_INPUT.

    Args:
        errors: classes, or their paths. A path's module is imported while the DAG is parsed: keep it light.
        reason: what the task's log says.
    """
    return ExceptionRetryPolicy(
        rules=[MISSING_INPUT, RetryRule(exception=list(errors), action=RetryAction.FAIL, reason=reason)]
    )
