"""A day's predictions, served by a real server into a real warehouse, and what monitoring makes of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import psycopg
import pytest
import requests
from upath import UPath

from include.ml.registry import Registry
from include.monitoring import pipeline
from include.monitoring.checks import Limits
from include.monitoring.errors import DriftError
from include.monitoring.pipeline import Report
from include.titanic.features import segment
from include.titanic.passengers import COLUMNS, read
from include.warehouse.attempt import Attempt
from tests.integration.ml.conftest import LIST, Serving, accepted, deploy
from tests.integration.ml.test_titanic import wait

ATTEMPT = Attempt("model_monitoring", "keep_history", "run", 1)
LISTED = read(LIST.read_bytes())

Serve = Callable[[str], Serving]


def traffic(seed: int, **change: Callable[[pd.DataFrame], Any]) -> list[dict[str, Any]]:
    """A day's passengers, drawn with replacement; columns of ``change`` are worked out anew."""
    day = LISTED[list(COLUMNS)].sample(400, replace=True, random_state=seed).reset_index(drop=True)
    for name, made in change.items():
        day[name] = made(day)
    plain = day.astype(object).where(day.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in plain]


@pytest.fixture
def serving(candidate: UPath, registry: Registry, serve: Serve) -> Serving:
    started = serve(registry.name)
    accepted(candidate, registry)
    deploy(candidate, registry, started)
    return started


@pytest.fixture
def watch(serving: Serving, registry: Registry, tmp_path: Any) -> Callable[[], Report]:
    """Run the DAG's steps for today, but the alert."""

    def watched() -> Report:
        wait(lambda: serving.server.health()["log_waiting"] == 0)
        root, today = UPath(tmp_path / "storage"), dt.datetime.now(dt.UTC).date()
        file = UPath(pipeline.compare(registry, serving.warehouse, root, today, "run", Limits()))
        pipeline.keep(file, serving.warehouse, ATTEMPT)
        report = Report.model_validate_json(file.read_bytes())
        if report.alarms:
            with pytest.raises(DriftError, match=r"segment|volume"):
                pipeline.alert(file)
        else:
            pipeline.alert(file)
        if report.daily:
            assert (file.parent / "version-1.png").read_bytes().startswith(b"\x89PNG")
        return report

    return watched


def rows(serving: Serving, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(serving.warehouse) as connection:
        return connection.execute(query).fetchall()


def test_a_day_without_predictions_is_quiet(watch: Callable[[], Report]) -> None:
    assert watch().daily == []  # what the deployment asked to see isn't counted


def test_a_shift_in_one_segment_is_found_on_the_next_run(serving: Serving, watch: Callable[[], Report]) -> None:
    def older(day: pd.DataFrame) -> Any:
        return day["Age"] + 20 * segment(day).eq("male-2")

    serving.server.predict(traffic(1, Age=older))
    report = watch()
    assert any("segment male-2, Age, mean 3" in alarm for alarm in report.alarms)
    found = rows(serving, "SELECT segment, feature FROM model_drift WHERE alarm AND segment <> 'all'")
    assert {name for name, _ in found} == {"male-2"}
    assert watch().drift == report.drift  # a day that is repeated is replaced
    assert len(rows(serving, "SELECT 1 FROM model_drift")) == len(report.drift)


def test_garbage_for_one_segment_is_found_though_the_model_is_good(
    serving: Serving, watch: Callable[[], Report]
) -> None:
    serving.server.predict(traffic(2))
    assert not [alarm for alarm in watch().alarms if "doesn't give" in alarm]
    with psycopg.connect(serving.warehouse) as connection:
        spoilt = connection.execute(
            "UPDATE predictions SET probability = random() WHERE inputs->>'Sex' = 'female' AND inputs->>'Pclass' = '3'"
            " AND purpose = 'live'"
        ).rowcount
    expected = f"version 1: segment female-3, {spoilt} served prediction(s) that the registered model doesn't give"
    assert expected in watch().alarms


def test_accuracy_is_measured_where_outcomes_have_arrived(
    candidate: UPath, serving: Serving, watch: Callable[[], Report]
) -> None:
    del candidate
    answers = serving.server.predict(traffic(3))["predictions"]
    outcomes = [
        {"prediction_id": one["prediction_id"], "survived": not one["survived"]} for one in answers[:100]
    ]  # all wrong
    url = serving.server.url
    assert requests.post(f"{url}/outcomes", json={"outcomes": outcomes}, timeout=10).status_code == 202
    report = watch()
    [whole] = [row for row in report.daily if row["segment"] == "all"]
    assert (whole["predictions"], whole["outcomes"], whole["accuracy"], whole["alarm"]) == (400, 100, 0.0, True)
    assert any("segment all, accuracy 0.000 on 100 known outcomes, 0.8" in alarm for alarm in report.alarms)


def test_a_fall_in_volume_is_told(serving: Serving, watch: Callable[[], Report]) -> None:
    serving.server.predict(traffic(4))
    watch()
    with psycopg.connect(serving.warehouse) as connection:
        connection.execute(
            "INSERT INTO model_daily SELECT (date - n), model, version, segment, 1000, 0, NULL, expected, false,"
            " load_id, loaded_at FROM model_daily, generate_series(1, 14) AS n WHERE segment = 'all'"
        )
    assert "volume: 400 live predictions, 1000 on the median day of the fortnight before" in watch().alarms
