"""Which errors end a task at once, and which only take time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import ExceptionRetryPolicy, RetryAction

from include.core.errors import ConfigurationError
from include.core.retries import WAIT_FOR_INPUT, hopeless
from include.domains.finance.close import NothingToCloseError

HOPELESS = hopeless("include.core.errors.ConfigurationError")


@pytest.mark.parametrize("policy", [WAIT_FOR_INPUT, HOPELESS])
def test_a_missing_input_is_looked_for_again_each_minute(policy: ExceptionRetryPolicy) -> None:
    decision = policy.evaluate(NothingToCloseError("no sales"), 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(minutes=1))


def test_what_can_not_get_better_ends_the_task_and_other_errors_are_tried_again_as_ever() -> None:
    assert HOPELESS.evaluate(ConfigurationError("no"), 1, 3).action is RetryAction.FAIL
    for policy in (HOPELESS, WAIT_FOR_INPUT):
        assert policy.evaluate(OSError("away"), 1, 3).action is RetryAction.DEFAULT
