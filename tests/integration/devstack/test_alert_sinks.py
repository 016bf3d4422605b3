"""Mail and Slack messages arrive as they were sent."""

from __future__ import annotations

import json
import smtplib
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.environment import connections
from devstack.stack import Stack


@pytest.fixture(scope="module")
def fields(running: Stack) -> dict[str, dict[str, Any]]:
    """The fields of each connection, by its variable's name."""
    return {name: json.loads(value) for name, value in connections(running.state, running.upstream).items()}


def arrived(stack: Stack, kind: str) -> list[Path]:
    return sorted((stack.state.root / "alerts" / kind).iterdir())


def test_a_mail_arrives_as_a_file(running: Stack, fields: dict[str, dict[str, Any]]) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "spellbook@localhost", "one@example.org", "weather_data_pipeline: 28 °C"
    mail.set_content("Temperatures: 28 °C\n.\nthe dot above is text\n")
    connection = fields["AIRFLOW_CONN_SMTP_DEFAULT"]
    with smtplib.SMTP(connection["host"], connection["port"], timeout=10) as client:
        client.send_message(mail, to_addrs=["one@example.org", "two@example.org"])
    (file,) = arrived(running, "mail")
    assert file.suffix == ".eml"
    received = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert received["Subject"] == mail["Subject"]
    assert received.get_all("X-Envelope-To") == ["one@example.org", "two@example.org"]
    body = received.get_body()
    assert body
    assert body.get_content().replace("\r\n", "\n") == mail.get_content()


def test_a_slack_message_arrives_as_it_was_posted(running: Stack, fields: dict[str, dict[str, Any]]) -> None:
    webhook = fields["AIRFLOW_CONN_SLACK_DEFAULT"]["password"]
    body = json.dumps({"text": "28 °C", "blocks": []}, ensure_ascii=False).encode()
    response = requests.post(webhook, data=body, headers={"Content-Type": "application/json"}, timeout=10)
    assert (response.status_code, response.text) == (200, "ok")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert [file.read_bytes() for file in arrived(running, "slack")][-1] == body


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b'{"text": "cut', 400, "invalid_payload"),
        (b'["text"]', 400, "invalid_payload"),
        (b"", 400, "invalid_payload"),
        (b"{}", 400, "no_text"),
        (b'{"text": ""}', 400, "no_text"),
        (b'{"text": "x", "blocks": [{"type": "section"}]}', 400, "invalid_blocks"),
        (json.dumps({"text": "x" * 40_001}).encode(), 400, "msg_too_long"),
    ],
)
def test_slack_refuses_invalid_bodies_with_its_own_errors(
    running: Stack, fields: dict[str, dict[str, Any]], body: bytes, status: int, word: str
) -> None:
    before = arrived(running, "slack")
    response = requests.post(fields["AIRFLOW_CONN_SLACK_DEFAULT"]["password"], data=body, timeout=10)
    assert (response.status_code, response.text) == (status, word)
    assert arrived(running, "slack") == before


def test_slack_refuses_a_wrong_token(fields: dict[str, dict[str, Any]]) -> None:
    webhook = fields["AIRFLOW_CONN_SLACK_DEFAULT"]["password"]
    response = requests.post(webhook[:-1], json={"text": "hello"}, timeout=10)
    assert (response.status_code, response.text) == (403, "invalid_token")
