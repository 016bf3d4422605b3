"""A day's predictions, served by a real server into a real warehouse, and the drift report on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import psycopg
import pytest
import requests
from upath import UPath

from include.core.ml.drift import pipeline
from include.core.ml.drift.checks import Limits
from include.core.ml.drift.pipeline import Report
from include.core.ml.errors import DriftError
from include.core.ml.registry import Registry
from include.core.warehouse.attempt import Attempt
from include.domains.titanic.features import segment
from include.domains.titanic.passengers import COLUMNS, read
from include.domains.titanic.spec import TITANIC
from tests.integration.titanic.conftest import LIST, Serving, accept, deploy
from tests.integration.titanic.test_titanic import wait

ATTEMPT = Attempt("model_monitoring", "keep_history", "run", 1)
LISTED = read(LIST.read_bytes())

Serve = Callable[[str], Serving]


def traffic(seed: int, **change: Callable[[pd.DataFrame], Any]) -> list[dict[str, Any]]:
    """A day's passengers, drawn with replacement; ``change`` recomputes columns."""
    day = LISTED[list(COLUMNS)].sample(400, replace=True, random_state=seed).reset_index(drop=True)
    for name, compute in change.items():
        day[name] = compute(day)
    plain = day.astype(object).where(day.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in plain]


@pytest.fixture
def serving(candidate: UPath, registry: Registry, serve: Serve) -> Serving:
    model_server = serve(registry.name)
    accept(candidate, registry)
    deploy(candidate, registry, model_server)
    return model_server


@pytest.fixture
def watch(serving: Serving, registry: Registry, tmp_path: Any) -> Callable[..., Report]:
    """Run the DAG's steps for a day, by default today, and check that the alert task fails if there are alarms."""

    def run_steps(day: dt.date | None = None) -> Report:
        wait(lambda: serving.server.health()["log_waiting"] == 0)
        root, date = UPath(tmp_path / "storage"), day or dt.datetime.now(dt.UTC).date()
        file = UPath(pipeline.compare(TITANIC, registry, serving.warehouse, root, date, "run", Limits()))
        pipeline.load_report(file, serving.warehouse, ATTEMPT)
        report = Report.model_validate_json(file.read_bytes())
        if report.alarms:
            with pytest.raises(DriftError, match=r"segment|volume"):
                pipeline.alert(file)
        else:
            pipeline.alert(file)
        if report.daily:
            assert (file.parent / "version-1.png").read_bytes().startswith(b"\x89PNG")
        return report

    return run_steps


def rows(serving: Serving, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(serving.warehouse) as connection:
        return connection.execute(query).fetchall()


def test_a_day_without_predictions_has_no_report(watch: Callable[[], Report]) -> None:
    assert watch().daily == []  # the deployment's own checks aren't counted


def test_replayed_traffic_counts_for_the_replayed_day_and_is_labelled(
    serving: Serving, watch: Callable[..., Report]
) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    serving.server.replay(traffic(0), yesterday)
    assert watch().daily == []
    report = watch(yesterday.date())
    assert (report.replayed, report.alarms) == (400, [])
    result = rows(serving, "SELECT predictions FROM model_daily WHERE segment = 'all'")
    assert result == [(400,)]
    purposes = rows(serving, "SELECT purpose, count(*) FROM predictions WHERE purpose <> 'check' GROUP BY 1")
    assert purposes == [("replay", 400)]

    serving.server.replay(traffic(0, Age=lambda day: day["Age"] + 20), yesterday)
    assert watch(yesterday.date()).alarms, "replayed traffic is checked like any other"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Purpose": "replay"},
        {"X-Purpose": "replay", "X-Served-At": "2124-01-01T00:00:00Z"},
        {"X-Purpose": "replay", "X-Served-At": "2024-01-01T00:00:00"},
        {"X-Served-At": "2024-01-01T00:00:00Z"},
    ],
)
def test_only_replayed_traffic_may_set_a_time_and_only_in_the_past(serving: Serving, headers: dict[str, str]) -> None:
    response = requests.post(
        f"{serving.server.url}/predictions", json={"passengers": traffic(0)[:1]}, headers=headers, timeout=10
    )
    assert response.status_code == 422
    assert "served" in response.text.lower()


def test_a_shift_in_one_segment_is_detected_by_the_next_run(serving: Serving, watch: Callable[[], Report]) -> None:
    def older(day: pd.DataFrame) -> Any:
        return day["Age"] + 20 * segment(day).eq("male-2")

    serving.server.predict(traffic(1, Age=older))
    report = watch()
    assert any("segment male-2, Age, mean 3" in alarm for alarm in report.alarms)
    result = rows(serving, "SELECT segment, feature FROM model_drift WHERE alarm AND segment <> 'all'")
    assert {name for name, _ in result} == {"male-2"}
    assert watch().drift == report.drift  # a repeated day is replaced
    assert len(rows(serving, "SELECT 1 FROM model_drift")) == len(report.drift)


def test_wrong_predictions_for_one_segment_are_detected(serving: Serving, watch: Callable[[], Report]) -> None:
    serving.server.predict(traffic(2))
    assert not [alarm for alarm in watch().alarms if "differ from" in alarm]
    with psycopg.connect(serving.warehouse) as connection:
        corrupted = connection.execute(
            "UPDATE predictions SET probability = random() WHERE inputs->>'Sex' = 'female' AND inputs->>'Pclass' = '3'"
            " AND purpose = 'live'"
        ).rowcount
    expected = f"version 1: segment female-3, {corrupted} served prediction(s) differ from the registered model's"
    assert expected in watch().alarms


def test_accuracy_is_measured_where_outcomes_have_arrived(
    candidate: UPath, serving: Serving, watch: Callable[[], Report]
) -> None:
    del candidate
    predictions = serving.server.predict(traffic(3))["predictions"]
    outcomes = [
        {"prediction_id": prediction["prediction_id"], "survived": not prediction["survived"]}
        for prediction in predictions[:100]
    ]  # all wrong
    url = serving.server.url
    assert requests.post(f"{url}/outcomes", json={"outcomes": outcomes}, timeout=10).status_code == 202
    report = watch()
    [total] = [row for row in report.daily if row["segment"] == "all"]
    assert (total["predictions"], total["outcomes"], total["accuracy"], total["alarm"]) == (400, 100, 0.0, True)
    assert any("segment all, accuracy 0.000 on 100 known outcomes, 0.8" in alarm for alarm in report.alarms)


def test_a_drop_in_volume_raises_an_alarm(serving: Serving, watch: Callable[[], Report]) -> None:
    serving.server.predict(traffic(4))
    watch()
    with psycopg.connect(serving.warehouse) as connection:
        connection.execute(
            "INSERT INTO model_daily SELECT (day - n), model, version, segment, 1000, 0, NULL, expected, false,"
            " load_id, loaded_at FROM model_daily, generate_series(1, 14) AS n WHERE segment = 'all'"
        )
    assert "volume: 400 live predictions, the median of the previous two weeks is 1000" in watch().alarms
