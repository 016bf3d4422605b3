"""What the model server answers: probabilities only, stored before they are returned; refusals repeat no input."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.core.ml.serving import predictor
from include.core.ml.serving.app import MAX_ROWS
from include.domains.titanic.spec import TITANIC
from tests.unit.ml.application import serving

KELLY = {"Pclass": 3, "Name": "Kelly, Mr. James", "Sex": "male", "SibSp": 0, "Parch": 0, "Ticket": "330911"}


def passengers(count: int = 1, **changes: Any) -> dict[str, Any]:
    return {"passengers": [KELLY | changes] * count}


class Model:
    """Answers with the age as a percentage; remembers how many rows it was given at once."""

    def __init__(self, answer: Callable[[pd.DataFrame], Any] = lambda rows: rows["Age"].to_numpy() / 100) -> None:
        self.answer, self.calls = answer, list[int]()
        self.entered, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        self.calls.append(len(rows))
        self.entered.set()
        assert self.may_go_on.wait(60)
        answers = self.answer(rows)
        return np.column_stack([answers, answers])


def stored(folder: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(folder / "spool.sqlite")) as database:
        return [json.loads(row) for (row,) in database.execute("SELECT row FROM spool ORDER BY id")]


BAD_ANSWERS = {"NaN": np.nan, "infinity": np.inf, "above 1": 1.0000001, "below 0": -1e-9}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_is_no_probability_is_an_error(tmp_path: Path, name: str) -> None:
    model = Model(lambda rows: np.where(rows["Age"] == 7, BAD_ANSWERS[name], 0.5))
    with serving(TITANIC, model, tmp_path, version=12) as application:
        good = application.request("POST", "/predictions", passengers(Age=8))
        rows = [KELLY | {"Age": age} for age in (8, 7, 9)]
        bad = application.request("POST", "/predictions", {"passengers": rows})
        health = application.request("GET", "/health").json()
        metrics = application.request("GET", "/metrics").text
    assert good.status_code == 200
    assert bad.status_code == 500
    detail = "version 12: 1 of 3 answers aren't probabilities (finite, within 0 and 1)"
    assert bad.json() == {"detail": detail}
    assert health["failed_requests"] == 1
    assert 'spellbook_model_failed_requests_total{model="titanic"} 1.0' in metrics
    assert [row["inputs"]["Age"] for row in stored(tmp_path)] == [8]


def test_a_model_that_fails_is_named_without_the_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(rows: pd.DataFrame) -> Any:
        raise ValueError(f"could not convert {rows['Name'][0]}")

    with serving(TITANIC, Model(fail), tmp_path) as application:
        response = application.request("POST", "/predictions", passengers())
        assert application.request("GET", "/health").json()["failed_requests"] == 1
    assert response.status_code == 500
    assert response.json()["detail"].startswith("version 4: the model failed: ValueError in fail, test_server.py:")
    assert "Kelly" not in response.text + caplog.text
    assert "the model failed: ValueError" in caplog.text
    assert stored(tmp_path) == []


def test_an_unexpected_failure_leaves_the_thread_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    with serving(TITANIC, Model(), tmp_path) as application:
        with monkeypatch.context() as patched:
            patched.setattr(predictor.Predictor, "_predict", fail)
            with pytest.raises(MemoryError):
                application.request("POST", "/predictions", passengers(Age=8))
        assert application.request("POST", "/predictions", passengers(Age=8)).status_code == 200


def test_the_wrong_number_of_answers_is_an_error(tmp_path: Path) -> None:
    with serving(TITANIC, Model(lambda _: np.array([0.5, 0.5])), tmp_path) as application:
        response = application.request("POST", "/predictions", passengers())
    assert (response.status_code, response.json()["detail"]) == (500, "version 4: 2 answers for 1 rows")


def test_requests_that_wait_are_predicted_together(tmp_path: Path) -> None:
    model = Model()
    with serving(TITANIC, model, tmp_path) as application:
        model.may_go_on.clear()
        first = application.send("POST", "/predictions", passengers(Age=1))
        assert model.entered.wait(60)
        later = [application.send("POST", "/predictions", passengers(age % 3 + 1, Age=age)) for age in range(2, 12)]
        application.wait_for_rows(1 + sum(age % 3 + 1 for age in range(2, 12)))
        model.may_go_on.set()
        responses = [response.result(60).json()["predictions"] for response in (first, *later)]
    assert model.calls == [1, sum(age % 3 + 1 for age in range(2, 12))]
    for age, predictions in enumerate(responses, 1):
        assert [item["probability"] for item in predictions] == [age / 100] * (age % 3 + 1 if age > 1 else 1)
    ids = [item["prediction_id"] for predictions in responses for item in predictions]
    assert ids == [row["prediction_id"] for row in stored(tmp_path)]


def test_one_request_cannot_fail_the_others(tmp_path: Path) -> None:
    def fail_on_children(rows: pd.DataFrame) -> Any:
        if (rows["Age"] < 10).any():
            raise ZeroDivisionError
        return rows["Age"].to_numpy() / 100

    model = Model(fail_on_children)
    with serving(TITANIC, model, tmp_path) as application:
        model.may_go_on.clear()
        first = application.send("POST", "/predictions", passengers(Age=50))
        assert model.entered.wait(60)
        others = [application.send("POST", "/predictions", passengers(Age=age)) for age in (60, 5, 70)]
        application.wait_for_rows(4)
        model.may_go_on.set()
        assert [item.result(60).status_code for item in (first, *others)] == [200, 200, 500, 200]
        assert application.request("GET", "/health").json()["failed_requests"] == 1
    assert len(stored(tmp_path)) == 3


def test_a_large_request_does_not_hold_up_a_small_one(tmp_path: Path) -> None:
    model = Model()
    with serving(TITANIC, model, tmp_path) as application:
        model.may_go_on.clear()
        large = application.send("POST", "/predictions", passengers(MAX_ROWS, Age=10))
        assert model.entered.wait(60)
        small = application.send("POST", "/predictions", passengers(Age=20))
        application.wait_for_rows(MAX_ROWS + 1)
        model.may_go_on.set()
        assert small.result(60).status_code == large.result(60).status_code == 200
    assert model.calls[:2] == [predictor.SHARE, predictor.SHARE + 1]
    assert stored(tmp_path)[0]["inputs"]["Age"] == 20  # stored, and so answered, first
    assert sum(model.calls) == len(stored(tmp_path)) == MAX_ROWS + 1


def test_a_waiting_request_keeps_its_version(tmp_path: Path) -> None:
    model = Model()
    with serving(TITANIC, model, tmp_path) as application:
        model.may_go_on.clear()
        requests = [application.send("POST", "/predictions", passengers(Age=30))]
        assert model.entered.wait(60)
        requests.append(application.send("POST", "/predictions", passengers(Age=30)))
        application.wait_for_rows(2)
        application.follower.serve(Model(lambda rows: np.full(len(rows), 0.9)), 5)
        requests.append(application.send("POST", "/predictions", passengers(Age=30)))
        application.wait_for_rows(3)
        model.may_go_on.set()
        answers = [request.result(60).json() for request in requests]
    assert [(answer["version"], answer["predictions"][0]["probability"]) for answer in answers] == [
        (4, 0.3),
        (4, 0.3),
        (5, 0.9),
    ]


def test_too_many_waiting_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "MAX_WAITING", 5)
    with serving(TITANIC, Model(), tmp_path) as application:
        response = application.request("POST", "/predictions", passengers(6, Age=1))
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        assert application.request("POST", "/predictions", passengers(5, Age=1)).status_code == 200


def test_a_prediction_that_cannot_be_stored_is_not_returned(tmp_path: Path) -> None:
    with serving(TITANIC, Model(), tmp_path) as application:
        application.spool._database.execute("PRAGMA max_page_count = 1")  # as a full disk
        with pytest.raises(sqlite3.OperationalError, match="full"):  # uvicorn answers 500
            application.request("POST", "/predictions", passengers(200, Age=1))
        application.spool._database.execute("PRAGMA max_page_count = 100000")
        assert application.request("POST", "/predictions", passengers(Age=1)).status_code == 200
    assert len(stored(tmp_path)) == 1


CANARY = "Zwzx-17"
REFUSED: dict[str, tuple[str | dict[str, Any], str]] = {
    "text for a number": (passengers(Age="22"), "passengers.0.Age: Input should be a valid number (got a text of 2"),
    "true for a number": (passengers(Age=True), "passengers.0.Age: Input should be a valid number (got true)"),
    "false for a whole number": (passengers(SibSp=False), "SibSp: Input should be a valid integer (got false)"),
    "a float for a whole number": (passengers(SibSp=1.0), "SibSp: Input should be a valid integer (got a number)"),
    "text for a choice": (passengers(Pclass="3"), "Pclass: Input should be 1, 2 or 3 (got a text of 1"),
    "true for a choice": (passengers(Pclass=True), "Pclass: Input should be a valid integer (got true)"),
    "a float for a choice": (passengers(Pclass=3.0), "Pclass: Input should be a valid integer (got a number)"),
    "a number for a text": (passengers(Name=17), "Name: Input should be a valid string (got a whole number)"),
    "null for a number": (passengers(SibSp=None), "SibSp: Input should be a valid integer (got null)"),
    "a wrong choice": (passengers(Sex=CANARY), "Sex: Input should be 'male' or 'female' (got a text of 7 characters)"),
    "too long": (passengers(Ticket=CANARY * 10), "Ticket: String should have at most 50 characters (got a text of 70"),
    "too large": (passengers(Age=1717), "Age: Input should be less than or equal to 120 (got a whole number)"),
    "a list": (passengers(Age=[17]), "Age: Input should be a valid number (got a list of 1 values)"),
    "an object": (passengers(Name={CANARY: 1}), "Name: Input should be a valid string (got an object of 1 fields)"),
    "an unknown field": (passengers(**{CANARY: 1}), "passengers.0: unknown fields aren't allowed (got a name of 7"),
    "a missing field": ({"passengers": [{"Name": CANARY}]}, "passengers.0.Pclass: Field required; "),
    "too many rows": (passengers(MAX_ROWS + 1), "passengers: List should have at most 10000 items"),
    "a name twice": ('{"passengers": [{"Name": "Zwzx-17", "Name": "x"}]}', "an object has the same name twice"),
    "NaN": ('{"passengers": [{"Age": NaN}]}', "NaN isn't a JSON number; send null for a missing value"),
    "out of range": ('{"passengers": [{"Age": 17e17171}]}', "a number of 8 characters is out of range"),
    "NUL": ('{"passengers": [{"Name": "Zwzx-17\\u0000"}]}', "a text of 8 characters contains NUL"),
    "half a pair": ('{"passengers": [{"Name": "Zwzx-17\\ud800"}]}', "a text of 8 characters contains half a surrogate"),
    "half a pair as a name": ('{"Zwzx-17\\udfff": 1}', "a text of 8 characters contains half a surrogate"),
    "not JSON": ('{"passengers": Zwzx-17', "the body isn't valid JSON: Expecting value: line 1 column 16"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_field_and_rule_and_repeats_nothing(tmp_path: Path, name: str) -> None:
    body, message = REFUSED[name]
    content = body if isinstance(body, str) else json.dumps(body)
    with serving(TITANIC, Model(), tmp_path) as application:
        headers = {"Content-Type": "application/json"}
        response = application.request("POST", "/predictions", content=content.encode(), headers=headers)
    assert response.status_code == 422, response.text
    assert message in response.json()["detail"]
    assert CANARY not in response.text
    assert "17" not in response.json()["detail"]


def test_whole_numbers_are_floats(tmp_path: Path) -> None:
    with serving(TITANIC, Model(), tmp_path) as application:
        assert application.request("POST", "/predictions", passengers(Age=22, Fare=7)).status_code == 200
