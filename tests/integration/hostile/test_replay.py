"""Sends hostile inputs to a running stack: each has its outcome, and afterwards nothing has stopped or leaked."""

from __future__ import annotations

import gzip
import html
import json
import shutil
from base64 import b64encode
from email import message_from_bytes
from email.policy import default
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import psycopg
import pytest

from devstack.airflow_daemons import NAMES, record_of
from devstack.environment import get_local, local_url
from devstack.load import load
from devstack.state import REPOSITORY
from tests.integration.hostile.conftest import CANARY, HERE
from tests.integration.hostile.inputs import conf
from tests.integration.hostile.replay import ECHO, Outcome, Replay
from tests.integration.runs.conftest import server, until
from tests.integration.runs.test_alerts import drain, ended

if TYPE_CHECKING:
    from tests.integration.hostile.conftest import Target

LEAST = 200
MARKUP = {
    "slack": ("<!", "<@", "<#", "<http://evil", "<https://evil"),
    "mail": ("\nBcc:",),
    "html": ("<script", "<img", "<!channel"),
}
"""What no alert of a kind may contain."""


class Replayed(NamedTuple):
    """The replay, when it is over.

    Attributes:
        replay: what was sent, and the runs that it started.
        outcomes: of each input.
        processes: of the stack before, by name.
    """

    replay: Replay
    outcomes: list[Outcome]
    processes: dict[str, str]


def processes(target: Target) -> dict[str, str]:
    """Return the record of each of the stack's processes, which has its id and the time of its start."""
    state = target.stack.state
    records = [*state.services.glob("*.json"), *(record_of(state, name) for name in NAMES)]
    return {path.name: path.read_text() for path in records}


@pytest.fixture(scope="module")
def replayed(target: Target) -> Replayed:
    before = processes(target)
    shutil.copy(HERE / "planted" / "hostile.py", target.stack.dags)
    load(target.airflow, ECHO, target.stack)
    replay = Replay(target)
    outcomes = replay.all()
    drain(target.stack, target.airflow)
    return Replayed(replay, outcomes, before)


def messages(target: Target) -> list[tuple[str, str]]:
    """Return kind and text of each alert as it was received, a mail's with its headers, and its HTML by itself."""
    folder = target.stack.state.root / "alerts"
    slack = [
        ("slack", json.dumps(json.loads(path.read_bytes()), ensure_ascii=False))
        for path in (folder / "slack").iterdir()
    ]
    mails = [path.read_bytes() for path in (folder / "mail").iterdir()]
    parts = [part for mail in mails for part in message_from_bytes(mail, policy=default).walk()]
    shown = [("html", part.get_content()) for part in parts if part.get_content_type() == "text/html"]
    return [*slack, *(("mail", mail.decode(errors="replace")) for mail in mails), *shown]


def test_each_input_has_its_outcome(replayed: Replayed) -> None:
    assert len({outcome.name for outcome in replayed.outcomes}) == len(replayed.outcomes) >= LEAST
    assert [outcome for outcome in replayed.outcomes if outcome.expected != outcome.actual] == []


def test_the_runs_keep_their_files_apart(replayed: Replayed) -> None:
    replay = replayed.replay
    assert set(replay.echoed()) == {run.run_id for run in replay.runs.values() if run.dag_id == ECHO}
    assert not (REPOSITORY / "hostile").exists()


def test_what_is_rendered_is_not_rendered_again(replayed: Replayed) -> None:
    replay = replayed.replay
    rendered = replay.echoed()[replay.runs["texts"].run_id]["rendered"]
    for name, text in conf.TEXTS.items():
        if name.startswith("Jinja"):
            assert repr(text)[1:-1] in rendered


def test_alerts_have_no_markup(replayed: Replayed, target: Target) -> None:
    del replayed
    received = messages(target)
    assert {kind for kind, text in received if "hostile_echo" in text} == {"slack", "mail", "html"}
    assert any("!channel" in text for _, text in received)
    assert any("&lt;script&gt;" in text for kind, text in received if kind == "html")
    for kind, text in received:
        assert [markup for markup in MARKUP[kind] if markup in text] == []


def test_every_component_still_answers(replayed: Replayed, target: Target) -> None:
    stack, airflow = target.stack, target.airflow
    assert processes(target) == replayed.processes
    beats = {name: airflow.heartbeat(name) for name in ("scheduler", "dag_processor", "triggerer")}
    until(stack, lambda: all(airflow.heartbeat(name) != beat for name, beat in beats.items()), "the next heartbeats")
    # On a busy machine, a heartbeat is at times older than what counts as healthy.
    until(stack, lambda: {part["status"] for part in airflow.get("/monitor/health").values()} == {"healthy"}, "health")
    load(airflow, ECHO, stack)
    assert sorted(airflow.import_errors()) == ["hostile_check.py"]
    replayed.replay.start(ECHO, "afterwards", after="all")
    run = replayed.replay.runs["afterwards"]
    assert until(stack, partial(ended, airflow, *run), ECHO) == "success"
    for name, path in {"slack": "/health", "s3": "/moto-api/", "model_server": "/health"}.items():
        if name == "slack" or name in stack.services:
            assert get_local(local_url(stack.state, name) + path, timeout=60).ok
    with psycopg.connect(server(stack).uri("warehouse")) as session:
        assert session.execute("SELECT count(*) FROM quarantine").fetchone() != (0,)
        assert session.execute("SELECT count(*) FROM hostile_data").fetchone() != (0,)


def test_no_other_address_was_called(replayed: Replayed, target: Target) -> None:
    del replayed
    assert target.internal.connections == 0
    assert target.addresses() == set()
    assert str(target.hostile.server_port) in target.connections.read_text()


def test_nothing_leaked(replayed: Replayed, target: Target) -> None:
    del replayed
    assert target.leaks() == []


def test_a_leak_would_be_found(replayed: Replayed, target: Target) -> None:
    """In each place and form: the search of the test before would have found it, too."""
    del replayed
    secret, root = CANARY.format("sources_default"), target.stack.state.root
    places = {
        root / "logs" / "leak.log": f"password {secret}".encode(),
        root / "alerts" / "leak.eml": b64encode(f"to you: {secret}".encode()),
        root / "airflow" / "leak.json": json.dumps({"html": html.escape(secret)}).encode(),
        target.storage / "leak.gz": gzip.compress(b"x=" + quote(secret, safe="").encode()),
    }
    for path, content in places.items():
        path.write_bytes(content)
    with psycopg.connect(server(target.stack).uri("warehouse")) as session:
        session.execute("CREATE TABLE leak (content bytea)")
        session.execute("INSERT INTO leak VALUES (%s)", [secret.encode()])
    expected = {f"sources_default: {place}" for place in (*places, "public.leak")}
    assert set(target.leaks()) == expected
