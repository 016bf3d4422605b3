"""The state that Airflow gives a task after an error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import structlog
from airflow.sdk.execution_time import task_runner

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, TaskInstanceState


def state_after(operator: BaseOperator, error: BaseException) -> TaskInstanceState:
    """Return the state of a task with remaining retries after an error in its first try."""
    ti: Any = SimpleNamespace(
        task=operator,
        try_number=1,
        rendered_map_index=None,
        stats_tags={},
        _failure_metrics_emitted=False,
        _ti_context_from_server=SimpleNamespace(max_tries=operator.retries, should_retry=True),
    )
    _, state = task_runner._handle_current_task_failed(ti, error, structlog.get_logger())
    return state
