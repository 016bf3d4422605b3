"""What the cluster policy adds to a DAG, beside what it has of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.serialization.serialized_objects import DagSerialization
from pendulum import datetime

from include import policies
from include.alerts.callbacks import on_dag_failure, on_dag_success, on_deadline, on_task_failure


def own(context: Any) -> None:
    """A callback of the DAG's author."""


async def own_deadline() -> None:
    """A deadline's callback of the DAG's author."""


def after_policy(dag_id: str = "spell", *, task_callback: Any = None, **arguments: Any) -> DAG:
    """A DAG with one task, as it is after the policies; they may be applied more than once."""
    doc = "## What\n## On failure\nClear it."
    with DAG(dag_id, schedule=None, start_date=datetime(2024, 1, 1), doc_md=doc, tags=["example"], **arguments) as dag:

        @task(owner="wizards", on_failure_callback=task_callback)
        def brew() -> None:
            """Nothing."""

        brew()
    for _ in range(2):
        policies.dag_policy(dag)
        for each in dag.tasks:
            policies.task_policy(each)
    return dag


def test_a_dag_that_says_nothing_gets_everything() -> None:
    dag = after_policy()
    assert dag.on_failure_callback == [on_dag_failure]
    assert dag.on_success_callback == [on_dag_success]
    assert dag.tasks[0].on_failure_callback == [on_task_failure]
    assert isinstance(dag.deadline, list)
    (deadline,) = dag.deadline
    assert deadline.callback == AsyncCallback(
        on_deadline, kwargs={"owner": "wizards", "schedule": "by hand", "advice": "Clear it."}
    )
    stored = DagSerialization.to_dict(dag)["dag"]
    assert stored["has_on_failure_callback"]
    assert stored["has_on_success_callback"]
    assert len(stored["deadline"]) == 1


def test_own_callbacks_and_deadlines_stay() -> None:
    deadline = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1), AsyncCallback(own_deadline))
    dag = after_policy(on_failure_callback=own, on_success_callback=[own], task_callback=own, deadline=deadline)
    assert dag.on_failure_callback == [own, on_dag_failure]
    assert dag.on_success_callback == [own, on_dag_success]
    assert dag.tasks[0].on_failure_callback == [own, on_task_failure]
    assert isinstance(dag.deadline, list)
    assert [each.callback.path.rpartition(".")[2] for each in dag.deadline] == ["own_deadline", "on_deadline"]


def test_an_own_time_for_our_deadline_is_enough() -> None:
    deadline = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1), AsyncCallback(on_deadline))
    assert after_policy(deadline=deadline).deadline == [deadline]


def test_what_delivers_alerts_gets_none() -> None:
    dag = after_policy("alerts_drain")
    assert not dag.on_failure_callback
    assert not dag.on_success_callback
    assert not dag.deadline
