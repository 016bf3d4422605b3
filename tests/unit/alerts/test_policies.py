"""What the cluster policy adds to a DAG, and its note on a DAG that breaks house rules."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.sdk import DAG, task
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.serialization.serialized_objects import DagSerialization
from pendulum import datetime

from include import house_rules, policies
from include.core.settings import STRICT_MODE
from include.ops.alerts.callbacks import on_dag_failure, on_dag_success, on_deadline, on_task_failure

DOC = "## What\n## On failure\nClear it: docs/runbooks/alerts.md."
LACKING: dict[str, Any] = {"doc_md": None, "tags": [], "default_args": {}}


def own(context: Any) -> None:
    """The author's own callback."""


async def own_deadline() -> None:
    """The author's own deadline callback."""


def after_policy(dag_id: str = "spell", *, task_callback: Any = None, **arguments: Any) -> DAG:
    """A DAG with one task, as it is after the policies; they may be applied more than once."""
    arguments = {"doc_md": DOC, "tags": ["example"], "default_args": {"owner": "wizards"}} | arguments
    with DAG(dag_id, schedule=None, start_date=datetime(2024, 1, 1), **arguments) as dag:

        @task(on_failure_callback=task_callback)
        def brew() -> None:
            """Nothing."""

        brew()
    for _ in range(2):
        policies.dag_policy(dag)
        for operator in dag.tasks:
            policies.task_policy(operator)
    return dag


def test_a_dag_without_settings_gets_all_callbacks_and_a_deadline() -> None:
    dag = after_policy()
    assert dag.on_failure_callback == [on_dag_failure]
    assert dag.on_success_callback == [on_dag_success]
    assert dag.tasks[0].on_failure_callback == [on_task_failure]
    assert isinstance(dag.deadline, list)
    (deadline,) = dag.deadline
    assert deadline.callback == AsyncCallback(
        on_deadline,
        kwargs={
            "owner": "wizards",
            "schedule": "by hand",
            "advice": "Clear it: docs/runbooks/alerts.md.",
            "runbook": "alerts.md",
        },
    )
    stored = DagSerialization.to_dict(dag)["dag"]
    assert stored["has_on_failure_callback"]
    assert stored["has_on_success_callback"]
    assert len(stored["deadline"]) == 1


def test_own_callbacks_and_deadlines_are_kept() -> None:
    deadline = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1), AsyncCallback(own_deadline))
    dag = after_policy(on_failure_callback=own, on_success_callback=[own], task_callback=own, deadline=deadline)
    assert dag.on_failure_callback == [own, on_dag_failure]
    assert dag.on_success_callback == [own, on_dag_success]
    assert dag.tasks[0].on_failure_callback == [own, on_task_failure]
    assert isinstance(dag.deadline, list)
    assert [alert.callback.path.rpartition(".")[2] for alert in dag.deadline] == ["own_deadline", "on_deadline"]


def test_an_own_deadline_with_our_callback_replaces_the_default() -> None:
    deadline = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1), AsyncCallback(on_deadline))
    assert after_policy(deadline=deadline).deadline == [deadline]


def test_the_dag_that_delivers_alerts_gets_none() -> None:
    dag = after_policy("alerts_drain")
    assert not dag.on_failure_callback
    assert not dag.on_success_callback
    assert not dag.deadline


def test_a_complete_dag_is_not_changed() -> None:
    dag = after_policy()
    assert dag.doc_md == DOC
    assert dag.tags == {"example"}


@pytest.mark.parametrize("doc", [None, "## What\nIt brews."])
def test_an_incomplete_dag_runs_with_a_note_and_all_callbacks(doc: str | None) -> None:
    dag = after_policy(**LACKING | {"doc_md": doc})
    assert dag.on_failure_callback == [on_dag_failure]
    assert dag.tasks[0].on_failure_callback == [on_task_failure]
    assert dag.tags == {house_rules.NOTE_TAG}
    assert house_rules.documentation_of(dag) == (doc or "")
    note = house_rules.note_in(DagSerialization.to_dict(dag)["dag"]["doc_md"])
    assert note.count("What the gate will ask for") == 1
    for problem in ("no owner on task brew", "no tags", "no heading 'On failure'" if doc else "no doc_md"):
        assert note.count(problem) == 1


def test_the_note_lists_the_gates_problems() -> None:
    dag = after_policy(**LACKING)
    problems = house_rules.broken_rules(dag, house_rules.RULES.values())
    assert problems
    assert house_rules.note_in(dag.doc_md).endswith("\n".join(f"- {problem}" for problem in problems))


def test_a_link_to_a_missing_runbook_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    doc = f"{DOC} docs/runbooks/no_such_page.md"
    assert "docs/runbooks/no_such_page.md, which doesn't exist" in (after_policy(doc_md=doc).doc_md or "")
    monkeypatch.setattr(house_rules, "RUNBOOKS", tmp_path / "missing")
    assert after_policy(doc_md=doc).doc_md == doc, "without docs nothing can be checked"


def test_a_strict_airflow_refuses_an_incomplete_dag_and_lists_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STRICT_MODE.name, "true")
    after_policy()
    with pytest.raises(AirflowClusterPolicyViolation, match=r"(?s)'spell' is refused.*no owner.*no tags.*no doc_md"):
        after_policy(**LACKING)


def test_strict_is_true_or_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STRICT_MODE.name, "yes")
    with pytest.raises(ValueError, match="SPELLBOOK_STRICT='yes' is neither true nor false"):
        after_policy()


@pytest.mark.parametrize(
    ("doc", "own", "expected"),
    [
        ("\n# Brews potions\n\n## What\nx", None, "Brews potions"),
        ("Brews potions.", "Mine", "Mine"),
        (None, None, None),
        (" \n", None, None),
    ],
)
def test_a_dag_is_described_by_the_first_line_of_its_documentation(
    doc: str | None, own: str | None, expected: str | None
) -> None:
    dag = after_policy(doc_md=doc, description=own)
    assert DagSerialization.to_dict(dag)["dag"].get("description") == expected
