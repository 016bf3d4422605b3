"""A DAG that doesn't configure alerts fails on a Celery worker: one message in Slack, one mail."""

from __future__ import annotations

import json
from typing import Any

import requests

from devstack.api import Airflow
from tests.e2e.compose.stack import Compose, finish, planted, soon, trigger

TEXT = "Failed: silent. work, try 1 of 1: ValueError: the cauldron is empty"


def in_slack(compose: Compose) -> list[dict[str, Any]]:
    """The DAG's messages in the Slack sink."""
    script = (
        "import json, pathlib;"
        "files = sorted(pathlib.Path('/opt/airflow/storage').glob('*.json'));"
        "print(json.dumps([json.loads(file.read_bytes()) for file in files]))"
    )
    bodies = json.loads(compose.inside("slack", "python", "-c", script).splitlines()[-1])
    return [body for body in bodies if ": silent." in body["text"]]


def in_mail(compose: Compose) -> list[dict[str, Any]]:
    """The DAG's mails in the mail catcher."""
    listed = requests.get(f"{compose.address('mailpit', 8025)}/api/v1/messages", timeout=120).json()
    return [mail for mail in listed["messages"] if ": silent." in mail["Subject"]]


def test_a_failed_task_is_reported_once_in_slack_and_by_mail(compose: Compose, airflow: Airflow) -> None:
    with planted(compose, "silent"):
        run_id = trigger(airflow, "silent")
        assert finish(airflow, "silent", run_id) == "failed"
        soon(lambda: bool(in_slack(compose) and in_mail(compose)), "both messages have arrived")
        drained = trigger(airflow, "alerts_drain")  # the scheduler stored the same alert: nothing is sent
        assert finish(airflow, "alerts_drain", drained) == "success"
    (message,) = in_slack(compose)
    assert (message["channel"], message["text"]) == ("#data-alerts", TEXT)
    assert f"/dags/silent/runs/{run_id}" in json.dumps(message["blocks"]).replace("%3A", ":").replace("%2B", "+")
    (mail,) = in_mail(compose)
    assert (mail["Subject"], [to["Address"] for to in mail["To"]]) == (TEXT, ["data-alerts@example.org"])
    variables = airflow.get("/variables", limit=100)["variables"]
    assert not [variable["key"] for variable in variables if variable["key"].startswith("alert_")]
