"""Cluster policies: what every DAG gets without asking, and what no DAG may lack.

Airflow applies them wherever it parses a DAG file: in the dag-processor, and again in the worker that runs a task.

What Airflow has as plain configuration stands in ``airflow.cfg``, where a task that says something else wins by itself,
be it ``retries=0``: ``[core] default_task_retries``, ``default_task_retry_delay``, ``default_task_execution_timeout``,
and the cap on every growing delay, ``max_task_retry_delay``. Here stands only what has no such key.

Every Airflow process imports this module at its start: keep it free of heavy imports.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from include.core.errors import MissingInputError, PermanentError
from include.core.settings import STRICT_MODE
from include.house_rules import STRICT, broken, leave_note
from include.ops.alerts.alert import UNWATCHED
from include.ops.alerts.callbacks import on_dag_failure, on_dag_success, on_deadline, on_task_failure
from include.ops.alerts.runbooks import runbook_of
from include.ops.alerts.wording import advice_of, schedule_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG, BaseOperator, Context
    from airflow.sdk.definitions.deadline import DeadlineAlert
    from airflow.sdk.definitions.mappedoperator import MappedOperator

RETRY_BACKOFF = 2.0
RETRY_POLICY = ExceptionRetryPolicy(
    [
        RetryRule(
            MissingInputError,
            RetryAction.RETRY,
            retry_delay=timedelta(minutes=1),
            reason="the DAG that the error names may be about to publish it",
        ),
        RetryRule(
            PermanentError,
            RetryAction.FAIL,
            reason="the same input fails again: fix what the error names, then clear the task or start a new run",
        ),
    ]
)
DEADLINE = timedelta(hours=6)


def dag_policy(dag: DAG) -> None:
    """Give a DAG its alerts and a deadline, beside those of its own, and a note of what the gate will ask for.

    Raises:
        AirflowClusterPolicyViolation: in strict mode, with one line for each thing that is missing, and how to add it.
        ValueError: if ``SPELLBOOK_STRICT`` is neither true nor false.
    """
    if not STRICT_MODE.read_bool():
        leave_note(dag)
    elif problems := broken(dag, STRICT):
        raise AirflowClusterPolicyViolation(f"DAG {dag.dag_id!r} is refused:\n- " + "\n- ".join(problems))
    if dag.dag_id not in UNWATCHED:
        dag.on_failure_callback = _with(dag.on_failure_callback, on_dag_failure)
        dag.on_success_callback = _with(dag.on_success_callback, on_dag_success)
        dag.has_on_failure_callback = dag.has_on_success_callback = True  # else the scheduler asks for neither
        dag.deadline = _with_deadline(dag)


def task_policy(task: BaseOperator | MappedOperator) -> None:
    """Give a task exponential back-off and a retry policy, unless it has its own, and a failure alert beside its own.

    ``retry_exponential_backoff=0`` can't be told from a task that says nothing: a task that wants the same delay before
    each retry says ``retry_exponential_backoff=1.0``.
    """
    if not task.retry_exponential_backoff:
        task.retry_exponential_backoff = RETRY_BACKOFF
    if task.retry_policy is None:
        task.retry_policy = RETRY_POLICY
    task.on_failure_callback = _with(task.on_failure_callback, on_task_failure)


def _with(own: Any, ours: Callable[[Context], None]) -> list[Any]:
    """Return a DAG's or task's own callbacks and ours; a policy may be applied more than once."""
    listed = list(own) if isinstance(own, (list, tuple)) else [own] if own else []
    return listed if ours in listed else [*listed, ours]


def _with_deadline(dag: DAG) -> list[DeadlineAlert]:
    """Return a DAG's deadlines, and ours if none of them ends in our callback."""
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert

    from include.ops.alerts.deadline import RunQueued

    own = [dag.deadline] if isinstance(dag.deadline, DeadlineAlert) else list(dag.deadline or ())
    path = f"{on_deadline.__module__}.{on_deadline.__qualname__}"
    if any(deadline.callback.path == path for deadline in own):
        return own
    words = {
        "owner": str(dag.owner),
        "schedule": schedule_in_words(dag.timetable),
        "advice": advice_of(dag.doc_md),
        "runbook": runbook_of(dag.doc_md),
    }
    callback = AsyncCallback(on_deadline, kwargs=words)
    return [*own, DeadlineAlert(reference=RunQueued(), interval=DEADLINE, callback=callback)]
