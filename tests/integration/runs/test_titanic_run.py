"""`titanic_ml_pipeline` through Airflow: a human's word, and how a run ends whose candidate is refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from devstack.api import Airflow
from devstack.environment import local_url
from devstack.stack import Stack
from include.serving.client import ModelServer
from tests.integration.runs.conftest import Make, Said

DAG = "titanic_ml_pipeline"
DAY = date(2024, 6, 2)
QUICK = {"models": ["logistic_regression"], "repeats": 1}
KELLY = {"Pclass": 3, "Name": "Kelly, Mr. James", "Sex": "male", "SibSp": 0, "Parch": 0, "Ticket": "330911"}
PATIENCE = 300


@pytest.fixture
def server(stack: Stack) -> ModelServer:
    return ModelServer(local_url(stack.state, "model_server"))


def answered(stack: Stack, make_run: Make, word: str) -> Said:
    """Run with approval, and say ``word`` a few seconds after it is asked for, as a human would."""
    begun = datetime.now(UTC)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(make_run, DAG, DAY, approval=True, **QUICK)
        deadline = time.monotonic() + PATIENCE
        while not (path := asked(stack, begun)):
            assert not running.done(), running.result().text
            assert time.monotonic() < deadline
            time.sleep(0.5)
        time.sleep(4)
        Airflow.of(stack.state).patch(path, {"chosen_options": [word], "params_input": {}})
        return running.result()


def asked(stack: Stack, begun: datetime) -> str | None:
    """Where the run's question is answered, once it waits."""
    if not stack.is_running("model_server"):
        return None
    airflow = Airflow.of(stack.state)
    for run in airflow.runs_since(DAG, begun, "manual"):
        for one in airflow.task_instances(DAG, run["dag_run_id"]):
            if one["state"] == "awaiting_input":
                return f"/dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances/approve_model/-1/hitlDetails"
    return None


def test_approved_rejected_and_left_unanswered(stack: Stack, make_run: Make, server: ModelServer) -> None:
    said = answered(stack, make_run, "Approve")
    assert said.good, said.text
    assert "deploy_model success" in said.text
    approved = server.health()["version"]
    assert approved
    assert server.predict([KELLY])["predictions"][0]["survived"] is False

    said = answered(stack, make_run, "Reject")
    assert said.good, said.text
    assert "deploy_model skipped" in said.text

    said = make_run(DAG, DAY, approval=True, **QUICK)
    assert not said.good
    assert "approve_model failed (try 1)" in said.text
    assert "HITLTimeoutError" in said.text
    assert server.health()["version"] == approved


def test_a_refused_candidate_fails_the_run_or_skips_as_set(make_run: Make) -> None:
    refused = {"models": ["gender_rule"], "repeats": 1}
    said = make_run(DAG, DAY, **refused)
    assert not said.good
    assert "evaluate_model failed (try 1)" in said.text
    assert "RefusedError: accuracy: mean accuracy 0.78" in said.text
    said = make_run(DAG, DAY, on_refusal="skip", **refused)
    assert said.good, said.text
    assert "deploy_model skipped" in said.text
