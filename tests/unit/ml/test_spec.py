"""Everything specific to a model comes from its spec: a model of houses is served and checked without other code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, ConfigDict

from include.core.ml.candidate import Request
from include.core.ml.drift.baseline import Days
from include.core.ml.drift.checks import Limits, check
from include.core.ml.drift.summary import Features
from include.core.ml.spec import CardText, ModelSpec, Watched, to_records
from tests.unit.ml.application import Application, serving

GENERATOR = np.random.default_rng(7)


class House(BaseModel):
    model_config = ConfigDict(extra="forbid")

    street: str
    rooms: int
    area: float | None = None


HOUSES = ModelSpec(
    name="houses",
    row=House,
    dtypes={"street": "str", "rooms": "int64", "area": "float64"},
    rows_name="houses",
    title="street",
    label="was_sold",
    positive="sold",
    positive_text="sell",
    derive=lambda rows: rows.assign(large=rows["rooms"].gt(3).astype(str)),
    segment=lambda rows: rows["rooms"].gt(3).map({True: "large", False: "small"}),
    segments_text="size",
    estimators={},
    baselines=(),
    reference="",
    trusted_types=(),
    watched=Watched(categories=("large",), numbers=("rooms",), nullable=("area",), ranged=("area",)),
    card=CardText("", "", "", "", "", ""),
)


class ByRooms:
    """Large houses sell."""

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        sold = rows["rooms"].gt(3).to_numpy(float)
        return np.column_stack([1 - sold, sold])


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Application]:
    with serving(HOUSES, ByRooms(), tmp_path) as application:
        yield application


def test_the_server_uses_the_names_of_the_spec(app: Application) -> None:
    body = {"houses": [{"street": "Elm Street", "rooms": 5}, {"street": "Oak Lane", "rooms": 2, "area": 40}]}
    response = app.request("POST", "/predictions", body)
    assert response.status_code == 200, response.text
    assert response.json()["version"] == 4
    predictions = response.json()["predictions"]
    assert [(item["sold"], item["probability"]) for item in predictions] == [(True, 1.0), (False, 0.0)]
    outcome = {"outcomes": [{"prediction_id": predictions[0]["prediction_id"], "sold": False}]}
    assert app.request("POST", "/outcomes", outcome).status_code == 202
    assert app.request("GET", "/health").json()["log_waiting"] == 3


@pytest.mark.parametrize(
    "body",
    [
        {"passengers": []},
        {"houses": []},
        {"houses": [{"street": "Elm Street"}]},
        {"houses": [{"street": "Elm Street", "rooms": 5, "Pclass": 1}]},
    ],
)
def test_fields_that_the_spec_does_not_define_are_refused(app: Application, body: dict[str, Any]) -> None:
    assert app.request("POST", "/predictions", body).status_code == 422


def test_the_checks_compare_what_the_spec_watches() -> None:
    rooms = GENERATOR.integers(1, 7, 400)
    rows = pd.DataFrame({"street": "Elm Street", "rooms": rooms, "area": GENERATOR.normal(80, 10, 400)})
    served = rows.assign(area=rows["area"] + 100)
    probabilities = np.where(rooms > 3, 0.8, 0.2)
    features = Features.of(HOUSES, rows)
    today = features.summary(served, probabilities)
    days = Days((date(2024, 1, 1),), today.rows[None], today.mean[None], today.sd[None], np.ones(1, dtype=bool))
    old, new = (
        (features.values(table, probabilities), HOUSES.segment(table).to_numpy(str)) for table in (rows, served)
    )
    findings = check(features, features.summary(rows, probabilities), days, old, new, Limits())
    assert {finding.segment for finding in findings} == {"all", "large", "small"}
    assert {finding.feature for finding in findings if finding.alarm} == {"out of range area"}
    assert {"large=True", "prediction", "missing area"} < {finding.feature for finding in findings}


def test_rows_are_restored_unchanged() -> None:
    sent = [House(street="Elm Street", rooms=5), House(street="Oak Lane", rooms=2, area=40)]
    assert to_records(HOUSES.frame(sent)) == [house.model_dump() for house in sent]


def test_a_candidate_of_an_earlier_version_is_read() -> None:
    assert Request.model_validate({"passenger": {"Name": "Kelly"}, "probability": 0.1}).row == {"Name": "Kelly"}
