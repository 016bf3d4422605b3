"""The challenger gets copies of answered requests; whatever it does, answers stay as they are."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.core.ml.errors import SandboxError
from include.core.ml.serving import challenger as module
from include.core.ml.serving.challenger import Challenger
from include.core.ml.serving.spool import Spool
from include.core.ml.serving.worker import Answer
from include.domains.titanic.spec import TITANIC
from tests.unit.ml.application import Application, Fixed, no_warehouse, serving
from tests.unit.ml.test_server import Model, passengers, stored

Rows = list[dict[str, Any]]


class Challenging:
    """A worker that answers as told, when it may."""

    def __init__(self, answer: Callable[[Rows], list[float]]) -> None:
        self.answer = answer
        self.entered, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()

    def predict(self, rows: Rows) -> Answer:
        self.entered.set()
        assert self.may_go_on.wait(60)
        return Answer(np.array(self.answer(rows)), 1.5)

    def close(self) -> None:
        self.may_go_on.set()


def challenger_of(folder: Path, answer: Callable[[Rows], list[float]]) -> tuple[Challenger, Challenging]:
    model = Challenging(answer)
    follower: Any = Fixed(model, 9)
    return Challenger(follower, Spool(folder / "challenger.sqlite", no_warehouse)), model


def kept(folder: Path) -> Rows:
    with closing(sqlite3.connect(folder / "challenger.sqlite")) as database:
        return [json.loads(row) for (row,) in database.execute("SELECT row FROM spool ORDER BY id")]


def wait_for(challenger: Challenger, rows: int, *, waiting: int = 0) -> None:
    """Wait until so many rows were passed on, of which so many wait: that happens after the answer."""
    deadline = time.monotonic() + 60
    while (challenger.waiting, challenger.answered + challenger.dropped + challenger.failed) != (waiting, rows):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(application: Application, *ages: float) -> list[float]:
    rows = [passengers(Age=age)["passengers"][0] for age in ages]
    response = application.request("POST", "/predictions", {"passengers": rows})
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"model", "version", "predictions"}
    assert response.json()["version"] == 4
    return [prediction["probability"] for prediction in response.json()["predictions"]]


def test_its_answers_are_kept_beside_the_champions(tmp_path: Path) -> None:
    challenger, _ = challenger_of(tmp_path, lambda rows: [1 - row["Age"] / 100 for row in rows])
    with serving(TITANIC, Model(), tmp_path, challenger=challenger) as application:
        assert ask(application, 20, 40) == [0.2, 0.4]
        wait_for(challenger, 2)
        health = application.request("GET", "/health").json()["challenger"]
        metrics = application.request("GET", "/metrics").text
    champions, answers = stored(tmp_path), kept(tmp_path)
    assert [row["champion_id"] for row in answers] == [row["prediction_id"] for row in champions]
    assert len({row["prediction_id"] for row in (*champions, *answers)}) == 4
    assert [(row["probability"], row["outcome"], row["model_version"]) for row in answers] == [
        (0.8, True, 9),
        (0.6, True, 9),
    ]
    assert [row["served_at"] for row in answers] == [row["served_at"] for row in champions]
    assert all(row["milliseconds"] > 0 for row in champions)
    assert {row["milliseconds"] for row in answers} == {1.5}
    assert "inputs" not in answers[0]  # personal data is kept once
    assert (health["version"], health["answered"], health["disagreements"]) == (9, 2, 2)
    for name, value in {"version": 9, "answers_total": 2, "disagreements_total": 2, "dropped_total": 0}.items():
        assert f'spellbook_model_challenger_{name}{{model="titanic"}} {value}.0' in metrics


def test_an_answer_does_not_wait_for_it_and_what_is_too_much_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    challenger, model = challenger_of(tmp_path, lambda rows: [0.1 for _ in rows])
    model.may_go_on.clear()
    with serving(TITANIC, Model(), tmp_path, challenger=challenger) as application:
        assert ask(application, 10) == [0.1]
        assert model.entered.wait(60)
        for age in (20, 30, 40, 50):
            assert ask(application, age) == [age / 100]
        wait_for(challenger, 2, waiting=3)
        assert challenger.dropped == 2
        model.may_go_on.set()
        wait_for(challenger, 5)
        assert ask(application, 60) == [0.6]
        wait_for(challenger, 6)
        assert (challenger.answered, challenger.dropped) == (4, 2)
    assert len(stored(tmp_path)) == 6


def fail(error: Exception) -> Callable[[Rows], list[float]]:
    def answer(rows: Rows) -> list[float]:
        if rows[0]["Age"] == 7:
            raise error
        return [0.5 for _ in rows]

    return answer


BAD: dict[str, tuple[Callable[[Rows], list[float]], int]] = {
    "NaN": (lambda rows: [np.nan if row["Age"] == 7 else 0.5 for row in rows], 1),
    "infinity": (lambda rows: [np.inf if row["Age"] == 7 else 0.5 for row in rows], 1),
    "above 1": (lambda rows: [1.01 if row["Age"] == 7 else 0.5 for row in rows], 1),
    "a process that ended": (fail(SandboxError("it ended its process (SIGSEGV)")), 2),
    "anything else": (fail(RuntimeError("Kelly, Mr. James")), 2),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_counted_and_changes_nothing(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer, failed = BAD[name]
    challenger, _ = challenger_of(tmp_path, answer)
    with serving(TITANIC, Model(), tmp_path, challenger=challenger) as application:
        for rows in (2, 4):
            assert ask(application, 7, 8) == [0.07, 0.08]
            wait_for(challenger, rows)
        assert ask(application, 9) == [0.09]
        wait_for(challenger, 5)
        assert application.request("GET", "/health").json()["failed_requests"] == 0
        metrics = application.request("GET", "/metrics").text
    assert challenger.failed == 2 * failed
    assert challenger.answered == len(kept(tmp_path)) == 5 - 2 * failed
    assert f'spellbook_model_challenger_failed_total{{model="titanic"}} {2 * failed}.0' in metrics
    assert len([line for line in caplog.messages if line.startswith("challenger: ")]) == 1
    assert "Kelly" not in caplog.text


def test_answers_that_cannot_be_stored_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    challenger, _ = challenger_of(tmp_path, lambda rows: [0.5 for _ in rows])
    with serving(TITANIC, Model(), tmp_path, challenger=challenger) as application:
        with monkeypatch.context() as patched:
            patched.setattr(module, "MAX_SPOOLED", -1)  # as after a long outage of the warehouse
            assert ask(application, 7) == [0.07]
            wait_for(challenger, 1)
        challenger._spool._database.execute("PRAGMA max_page_count = 1")  # as a full disk
        assert ask(application, *[8] * 200) == [0.08] * 200
        wait_for(challenger, 201)
    assert (challenger.answered, challenger.dropped) == (0, 201)
    assert len(stored(tmp_path)) == 201


def test_a_request_that_is_not_answered_is_not_passed_on(tmp_path: Path) -> None:
    challenger, model = challenger_of(tmp_path, lambda rows: [0.5 for _ in rows])
    with serving(TITANIC, Model(lambda rows: rows["Age"] * np.nan), tmp_path, challenger=challenger) as application:
        assert application.request("POST", "/predictions", passengers(Age=7)).status_code == 500
    assert not model.entered.is_set()


def test_without_a_challenger_nothing_waits(tmp_path: Path) -> None:
    challenger, _ = challenger_of(tmp_path, lambda rows: [0.5 for _ in rows])
    follower: Any = challenger.follower
    follower.current = None
    with serving(TITANIC, Model(), tmp_path, challenger=challenger) as application:
        assert ask(application, 7) == [0.07]
        metrics = application.request("GET", "/metrics").text
    assert (challenger.waiting, challenger.dropped) == (0, 0)
    assert 'spellbook_model_challenger_version{model="titanic"} 0.0' in metrics
