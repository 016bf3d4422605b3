"""`titanic_ml_pipeline` through Airflow: a human's answer, and how a run with a refused candidate ends."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.api import Airflow
from devstack.environment import ADMIN, local_url
from devstack.load import load
from devstack.stack import Stack
from include.core.ml.serving.client import ModelServer
from include.core.ml.tracking_server import PIPELINE
from include.core.storage import url_of
from include.domains.titanic.spec import TITANIC
from tests.integration.runs.conftest import Make, RunResult, until

DAG = "titanic_ml_pipeline"
DAY = date(2024, 6, 2)
QUICK = {"models": ["soft_vote"], "repeats": 1, "needs_gain": False}
KELLY = {"Pclass": 3, "Name": "Kelly, Mr. James", "Sex": "male", "SibSp": 0, "Parch": 0, "Ticket": "330911"}
HOURS = "float(titanic.TITANIC_APPROVAL_HOURS.read())"


class Question:
    """The task of a run that asks a human for approval."""

    def __init__(self, stack: Stack, airflow: Airflow, run_id: str) -> None:
        self.stack, self.airflow, self.run_id, self.run = stack, airflow, run_id, f"/dags/{DAG}/dagRuns/{run_id}"

    def state(self, task_id: str) -> str:
        return next(str(ti["state"]) for ti in self.instances() if ti["task_id"] == task_id)

    def instances(self) -> list[dict[str, Any]]:
        return self.airflow.task_instances(DAG, self.run_id)

    def answer(self, option: str) -> None:
        """Answer, as a human would, a few scheduler loops after the question.

        Airflow 3.3.2 marks a task failed that resumes before the scheduler has seen its first part end
        (https://github.com/apache/airflow/issues/72716).
        """
        until(self.stack, lambda: self.state("approve_model") == "awaiting_input" or self.ended(), "the question")
        beats = {self.airflow.heartbeat("scheduler")}

        def rounds() -> bool:
            beats.add(self.airflow.heartbeat("scheduler"))
            return len(beats) > 2

        until(self.stack, rounds, "two heartbeats of the scheduler")
        body = {"chosen_options": [option], "params_input": {}}
        self.airflow.patch(f"{self.run}/taskInstances/approve_model/-1/hitlDetails", body)

    def ask_again(self) -> None:
        """Clear the task and what follows."""
        body = {"dag_run_id": self.run_id, "task_ids": ["approve_model"], "include_downstream": True}
        self.airflow.post(f"/dags/{DAG}/clearTaskInstances", body | {"only_failed": False, "dry_run": False})

    def ended(self) -> str | None:
        """State of the run, if it has ended."""
        state = self.airflow.get(self.run)["state"]
        return str(state) if state in {"success", "failed"} else None

    def outcome(self) -> str | None:
        """State of the run, when it has ended."""
        return until(self.stack, self.ended, "the end of the run")


@pytest.fixture
def airflow(stack: Stack) -> Iterator[Airflow]:
    """Airflow, in which the DAG isn't paused."""
    airflow = Airflow.of(stack.state)
    load(airflow, DAG, stack)
    airflow.patch(f"/dags/{DAG}", {"is_paused": False})
    yield airflow
    airflow.patch(f"/dags/{DAG}", {"is_paused": True})


def find_question(stack: Stack, airflow: Airflow, start_time: datetime, running: Future[RunResult]) -> Question:
    """The question of the run that was started after ``start_time``."""
    until(stack, lambda: bool(airflow.runs_since(DAG, start_time, "manual")) or running.done(), "a run")
    [run] = airflow.runs_since(DAG, start_time, "manual")
    return Question(stack, airflow, run["dag_run_id"])


def tags(stack: Stack, version: int) -> dict[str, str]:
    """Tags of a version of the registered model."""
    response = requests.get(
        f"{local_url(stack.state, 'mlflow')}/api/2.0/mlflow/model-versions/get",
        {"name": TITANIC.name, "version": str(version)},
        auth=(PIPELINE, stack.state.secret(f"mlflow-{PIPELINE}")),
        timeout=60,
    )
    response.raise_for_status()
    return {tag["key"]: tag["value"] for tag in response.json()["model_version"]["tags"]}


def test_approval_rejection_and_time_out(airflow: Airflow, stack: Stack, make_run: Make) -> None:
    start_time = datetime.now(UTC)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(make_run, DAG, DAY, approval=True, **QUICK)
        question = find_question(stack, airflow, start_time, running)
        question.answer("Approve")
        result = running.result()
    assert result.good, result.text
    assert "deploy_model success" in result.text
    server = ModelServer(local_url(stack.state, "model_server"), TITANIC)
    approved = server.health()["version"]
    assert approved
    assert server.predict([KELLY])["predictions"][0]["survived"] is False
    assert tags(stack, approved)["promoted_by"] == f"run {question.run_id}, approved by {ADMIN}"

    question.ask_again()
    question.answer("Reject")
    assert question.outcome() == "success"
    assert question.state("deploy_model") == "skipped"

    file = stack.dags / f"{DAG}.py"
    patient = file.read_text()
    assert HOURS in patient
    file.write_text(patient.replace(HOURS, "1 / 3600"))
    question.ask_again()
    assert question.outcome() == "failed"
    file.write_text(patient)
    [task] = [ti for ti in question.instances() if ti["task_id"] == "approve_model"]
    assert (task["state"], task["try_number"]) == ("failed", 3)
    assert any("HITLTimeoutError" in line for line in airflow.log(task))
    assert server.health()["version"] == approved


@pytest.mark.parametrize("on_refusal", ["fail", pytest.param("skip", marks=pytest.mark.weekly)])
def test_a_refused_candidate_fails_or_skips_the_run_as_configured(make_run: Make, on_refusal: str) -> None:
    refused: dict[str, Any] = {"models": ["gender_rule"], "repeats": 1, "on_refusal": on_refusal}
    result = make_run(DAG, DAY, **refused)
    if on_refusal == "fail":
        assert not result.good
        assert "evaluate_model failed (try 1)" in result.text
        assert "RefusedError: accuracy: mean accuracy 0.78" in result.text
    else:
        assert result.good, result.text
        assert "deploy_model skipped" in result.text


def test_a_run_reads_lists_in_allowed_folders_only_and_shows_nothing_of_them(
    airflow: Airflow, stack: Stack, make_run: Make, tmp_path: Path
) -> None:
    canary = "canary-" + secrets.token_hex(8)
    inbox = stack.state.root / "storage" / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    for file in (tmp_path / "private.csv", inbox / "list.csv"):
        file.write_text(f"{canary},Sex\n" + f"1,{canary}\n" * 100)
    (inbox / "link.csv").symlink_to(tmp_path / "private.csv")
    for passengers, message in (
        (url_of(tmp_path / "private.csv"), "param passengers: .* isn't in an allowed folder"),
        ("link.csv", "param passengers: .* isn't in an allowed folder"),
        ("list.csv", "list.csv: passenger list: line 2, column Pclass: Field required"),
    ):
        result = make_run(DAG, DAY, passengers=passengers)
        assert not result.good
        assert re.search(message, result.text), result.text
        assert "prepare_data failed (try 1)" in result.text
        assert canary not in result.text
    assert canary not in str(airflow.get("/variables"))
    written = [file for file in stack.state.root.rglob("*") if file.is_file() and file != inbox / "list.csv"]
    assert [file for file in written if file.suffix in {".log", ".json", ".eml"} and canary in file.read_text()] == []
