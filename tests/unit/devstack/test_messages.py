"""Which messages in the sinks are shown for a run."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from devstack import messages
from devstack.state import State
from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.message import Facts, compose

MANUAL, SCHEDULED = "manual__2026-03-02T10:00:00.123456+00:00", "scheduled__2026-03-02T00:00:00+00:00"


def put_messages(state: State, kind: Kind, run_id: str) -> None:
    """Write the messages about a run of the DAG `shop` as the sinks do."""
    message = compose(Facts(Alert(kind, dag_id="shop", run_id=run_id), "act"))
    mail = EmailMessage()
    mail["To"], mail["Subject"] = "team@localhost", message.summary
    mail.set_content(message.html, subtype="html")
    body = {"text": message.summary, "blocks": message.blocks, "channel": "#runs"}
    for medium, suffix, content in (
        ("slack", "json", json.dumps(body).encode()),
        ("mail", "eml", mail.as_bytes()),
    ):
        folder = state.root / "alerts" / medium
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{time.time_ns()}-0001.{suffix}").write_bytes(content)


def test_a_message_about_another_run_of_the_dag_is_not_shown(tmp_path: Path) -> None:
    state, start_time = State(tmp_path), datetime.now(UTC)
    put_messages(state, Kind.FAILED, SCHEDULED)
    put_messages(state, Kind.SUCCEEDED, MANUAL)
    assert [text for *_, text in messages._slack(state, start_time, MANUAL)] == ["Succeeded: shop."]
    assert [text for *_, text in messages._mail(state, start_time, MANUAL)] == ["Succeeded: shop."]
    assert [text for *_, text in messages._mail(state, start_time, SCHEDULED)] == ["Failed: shop."]
