"""Errors that a task isn't tried again for."""

from __future__ import annotations

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

SAME_INPUT = "the same input fails again: mend what the error names, then clear the task"


def hopeless(*errors: str | type[BaseException], reason: str = SAME_INPUT) -> ExceptionRetryPolicy:
    """Return a retry policy that gives up at once on ``errors``; any other error is tried again as ever.

    Args:
        errors: classes, or their paths. A path's module is imported while the DAG is parsed: keep it light.
        reason: what the task's log says.
    """
    return ExceptionRetryPolicy(rules=[RetryRule(exception=list(errors), action=RetryAction.FAIL, reason=reason)])
