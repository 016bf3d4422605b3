"""Cluster policies: defaults and requirements for every DAG.

Airflow applies them wherever it parses a DAG file: in the dag-processor, and again in the worker that runs a task.

Defaults that Airflow can configure are in ``airflow.cfg``, where a task's own value, even ``retries=0``, takes
precedence: ``[core] default_task_retries``, ``default_task_retry_delay``, ``default_task_execution_timeout``, and the
maximum delay ``max_task_retry_delay``. This module has only defaults without such a key.

Every Airflow process imports this module at its start: keep it free of heavy imports.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule

from include.core.errors import MissingInputError, PermanentError
from include.core.settings import STRICT_MODE
from include.house_rules import STRICT, broken_rules, documentation_of, leave_note
from include.ops.alerts.alert import UNWATCHED
from include.ops.alerts.callbacks import on_dag_failure, on_dag_success, on_deadline, on_task_failure
from include.ops.alerts.runbooks import runbook_of
from include.ops.alerts.wording import advice_of, first_line, schedule_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG, BaseOperator, Context
    from airflow.sdk.definitions.deadline import DeadlineAlert
    from airflow.sdk.definitions.mappedoperator import MappedOperator

RETRY_BACKOFF = 2.0


class ByException(ExceptionRetryPolicy):
    """Retries by the exception, except that a preview, for which a person waits, doesn't wait for its input."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Return the decision of the first rule for the exception."""
        if isinstance(exception, MissingInputError) and context and context["params"].get("preview") is True:
            return RetryDecision.fail(reason="a preview doesn't wait for its input: publish it, then start a new run")
        return super().evaluate(exception, try_number, max_tries, context)


RETRY_POLICY = ByException(
    [
        RetryRule(
            MissingInputError,
            RetryAction.RETRY,
            retry_delay=timedelta(minutes=1),
            reason="what the error names may be published soon",
        ),
        RetryRule(
            PermanentError,
            RetryAction.FAIL,
            reason="the same input fails again: fix the error, then clear the task or start a new run",
        ),
    ]
)
DEADLINE = timedelta(hours=6)


def dag_policy(dag: DAG) -> None:
    """Add alerts and a deadline to a DAG, in addition to its own, and a note of the rules that it breaks.

    A DAG without a description gets the first line of its documentation, which the UI's list shows.

    Raises:
        AirflowClusterPolicyViolation: in strict mode, with one line for each broken rule, and how to fix it.
        ValueError: if ``SPELLBOOK_STRICT`` is neither true nor false.
    """
    if not STRICT_MODE.read_bool():
        leave_note(dag)
    elif problems := broken_rules(dag, STRICT):
        raise AirflowClusterPolicyViolation(f"DAG {dag.dag_id!r} is refused:\n- " + "\n- ".join(problems))
    dag.description = dag.description or first_line(documentation_of(dag))
    if dag.dag_id not in UNWATCHED:
        dag.on_failure_callback = _with(dag.on_failure_callback, on_dag_failure)
        dag.on_success_callback = _with(dag.on_success_callback, on_dag_success)
        dag.has_on_failure_callback = dag.has_on_success_callback = True  # the scheduler requests no callback otherwise
        dag.deadline = _with_deadline(dag)


def task_policy(task: BaseOperator | MappedOperator) -> None:
    """Add exponential backoff and a retry policy to a task, unless it has its own, and a failure alert.

    ``retry_exponential_backoff=0`` is also the default, so a task that needs a constant delay must set
    ``retry_exponential_backoff=1.0``.
    """
    if not task.retry_exponential_backoff:
        task.retry_exponential_backoff = RETRY_BACKOFF
    if task.retry_policy is None:
        task.retry_policy = RETRY_POLICY
    task.on_failure_callback = _with(task.on_failure_callback, on_task_failure)


def _with(existing: Any, callback: Callable[[Context], None]) -> list[Any]:
    """Return the callbacks with ``callback`` added; idempotent, since a policy may be applied more than once."""
    callbacks = list(existing) if isinstance(existing, (list, tuple)) else [existing] if existing else []
    return callbacks if callback in callbacks else [*callbacks, callback]


def _with_deadline(dag: DAG) -> list[DeadlineAlert]:
    """Return a DAG's deadlines, and ours if none of them has our callback."""
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert

    from include.ops.alerts.deadline import RunQueued

    deadlines = [dag.deadline] if isinstance(dag.deadline, DeadlineAlert) else list(dag.deadline or ())
    path = f"{on_deadline.__module__}.{on_deadline.__qualname__}"
    if any(deadline.callback.path == path for deadline in deadlines):
        return deadlines
    words = {
        "owner": str(dag.owner),
        "schedule": schedule_in_words(dag.timetable),
        "advice": advice_of(dag.doc_md),
        "runbook": runbook_of(dag.doc_md),
    }
    callback = AsyncCallback(on_deadline, kwargs=words)
    return [*deadlines, DeadlineAlert(reference=RunQueued(), interval=DEADLINE, callback=callback)]
