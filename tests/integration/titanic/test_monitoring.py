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

from include.core.ml.drift import pipeline
from include.core.ml.drift.checks import Limits
from include.core.ml.drift.pipeline import Report
from include.core.ml.errors import DriftError
from include.core.ml.registry import Registry
from include.core.ml.serving.spool import create_tables
from include.core.warehouse.attempt import Attempt
from include.domains.titanic.features import segment
from include.domains.titanic.passengers import COLUMNS, read
from include.domains.titanic.spec import TITANIC
from tests.integration.titanic.conftest import LIST, Serving, accepted, deploy
from tests.integration.titanic.test_titanic import wait

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
def watch(serving: Serving, registry: Registry, tmp_path: Any) -> Callable[..., Report]:
    """Run the DAG's steps for a day, today if none is given, and see that its alert fails if it has to."""

    def watched(day: dt.date | None = None) -> Report:
        wait(lambda: serving.server.health()["log_waiting"] == 0)
        root, date = UPath(tmp_path / "storage"), day or dt.datetime.now(dt.UTC).date()
        file = UPath(pipeline.compare(TITANIC, registry, serving.warehouse, root, date, "run", Limits()))
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


def test_replayed_traffic_counts_for_the_day_that_it_stands_for_and_is_told_as_such(
    serving: Serving, watch: Callable[..., Report]
) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    serving.server.replay(traffic(0), yesterday)
    assert watch().daily == []
    report = watch(yesterday.date())
    assert (report.replayed, report.alarms) == (400, [])
    found = rows(serving, "SELECT predictions FROM model_daily WHERE segment = 'all'")
    assert found == [(400,)]
    purposes = rows(serving, "SELECT purpose, count(*) FROM predictions WHERE purpose <> 'check' GROUP BY 1")
    assert purposes == [("replay", 400)]

    serving.server.replay(traffic(0, Age=lambda day: day["Age"] + 20), yesterday)
    assert watch(yesterday.date()).alarms, "replayed traffic is judged as any other"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Purpose": "replay"},
        {"X-Purpose": "replay", "X-Served-At": "2124-01-01T00:00:00Z"},
        {"X-Purpose": "replay", "X-Served-At": "2024-01-01T00:00:00"},
        {"X-Served-At": "2024-01-01T00:00:00Z"},
    ],
)
def test_only_replayed_traffic_says_when_it_was_served_and_in_the_past(
    serving: Serving, headers: dict[str, str]
) -> None:
    answer = requests.post(
        f"{serving.server.url}/predictions", json={"passengers": traffic(0)[:1]}, headers=headers, timeout=10
    )
    assert answer.status_code == 422
    assert "served" in answer.text.lower()


def test_a_table_made_before_there_was_replayed_traffic_takes_it(serving: Serving) -> None:
    wait(lambda: serving.server.health()["log_waiting"] == 0)
    with psycopg.connect(serving.warehouse) as connection:
        connection.execute("DELETE FROM predictions")
        connection.execute("ALTER TABLE predictions DROP CONSTRAINT predictions_purpose")
        connection.execute("ALTER TABLE predictions ADD CHECK (purpose IN ('live', 'check'))")
    create_tables(serving.warehouse)
    serving.server.replay(traffic(0)[:1], dt.datetime.now(dt.UTC) - dt.timedelta(days=1))
    wait(lambda: rows(serving, "SELECT purpose FROM predictions") == [("replay",)])


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
