"""A day's predictions, served by a real server into a real warehouse, and the drift report on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
import requests
from upath import UPath

from include.core.ml.drift import late, pipeline
from include.core.ml.drift.checks import Limits
from include.core.ml.drift.datasets import MODEL_DAILY
from include.core.ml.drift.pipeline import Report
from include.core.ml.errors import AcknowledgementError, DriftError
from include.core.ml.registry import Registry
from include.core.ml.spec import ModelSpec
from include.core.warehouse.attempt import Attempt
from include.domains.titanic.features import segment
from include.domains.titanic.passengers import COLUMNS, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC
from tests.integration.titanic.conftest import LIST, Serving, accept, deploy
from tests.integration.titanic.test_titanic import wait

ATTEMPT = Attempt("model_monitoring", "keep_history", "run", 1)
LISTED = PASSENGER_LIST.read(LIST.read_bytes())

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
def judge(serving: Serving, registry: Registry, tmp_path: Path) -> Callable[..., UPath]:
    """Run the DAG's steps for a day, except ``alert``; return the report's file."""

    def run_steps(day: dt.date, spec: ModelSpec = TITANIC) -> UPath:
        wait(lambda: serving.server.health()["log_waiting"] == 0)
        root = UPath(tmp_path / "storage")
        file = UPath(pipeline.compare(spec, registry, serving.warehouse, root, day, "run", Limits()))
        pipeline.load_report(file, serving.warehouse, ATTEMPT)
        return file

    return run_steps


@pytest.fixture
def watch(serving: Serving, judge: Callable[..., UPath]) -> Callable[..., Report]:
    """Run the DAG's steps for a day, by default today, and check that the alert task fails if there are alarms."""

    def run_steps(day: dt.date | None = None) -> Report:
        file = judge(day or today())
        report = Report.model_validate_json(file.read_bytes())
        if report.alarms:
            with pytest.raises(DriftError, match=r"look at .* \[[a-z]+/\d+/"):
                pipeline.alert(file, serving.warehouse)
        else:
            pipeline.alert(file, serving.warehouse)
        if any(row["alarm"] for row in report.drift):
            assert (file.parent / "version-1.png").read_bytes().startswith(b"\x89PNG")
        return report

    return run_steps


def texts(report: Report) -> str:
    return "\n".join(map(str, report.alarms))


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def send_outcomes(serving: Serving, predictions: list[dict[str, Any]], *, right: bool) -> None:
    outcomes = [{"prediction_id": item["prediction_id"], "survived": item["survived"] == right} for item in predictions]
    url = f"{serving.server.url}/outcomes"
    assert requests.post(url, json={"outcomes": outcomes}, timeout=10).status_code == 202


def rows(serving: Serving, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(serving.warehouse) as connection:
        return connection.execute(query).fetchall()


def test_a_day_without_predictions_has_no_report(watch: Callable[[], Report]) -> None:
    report = watch()
    assert report.daily == {today(): []}  # the deployment's own checks aren't counted
    assert any("served no predictions" in note for note in report.notes)


def test_replayed_traffic_counts_for_the_replayed_day_and_is_labelled(
    serving: Serving, watch: Callable[..., Report]
) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    serving.server.replay(traffic(0), yesterday)
    assert watch().daily == {today(): []}
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
    assert "segment male-2, Age, mean 3" in texts(report)
    assert f"since {today()}" in texts(report)
    result = rows(serving, "SELECT segment, feature FROM model_drift WHERE alarm AND segment <> 'all'")
    assert {name for name, _ in result} == {"male-2"}
    assert ("male-2", "Age") in result
    assert watch().drift == report.drift  # a repeated day is replaced
    assert len(rows(serving, "SELECT 1 FROM model_drift")) == len(report.drift)


def test_each_model_has_rows_of_its_own_in_a_day(serving: Serving, judge: Callable[..., UPath]) -> None:
    serving.server.predict(traffic(1))
    file = judge(today())
    report = Report.model_validate_json(file.read_bytes())
    for found in (*report.drift, *report.daily[today()]):
        found["model"] = "other"
    other = file.with_name("other.json")
    other.write_text(report.model_copy(update={"model": "other"}).model_dump_json())
    pipeline.load_report(other, serving.warehouse, ATTEMPT)
    judge(today())
    counts = "SELECT count(*) FROM {} GROUP BY model ORDER BY model"
    for table, count in (("model_drift", len(report.drift)), ("model_daily", len(report.daily[today()]))):
        assert rows(serving, counts.format(table)) == [(count,)] * 2


def test_wrong_predictions_for_one_segment_are_detected(serving: Serving, watch: Callable[[], Report]) -> None:
    serving.server.predict(traffic(2))
    assert "differ from" not in texts(watch())
    with psycopg.connect(serving.warehouse) as connection:
        corrupted = connection.execute(
            "UPDATE predictions SET probability = random() WHERE inputs->>'Sex' = 'female' AND inputs->>'Pclass' = '3'"
            " AND purpose = 'live'"
        ).rowcount
    expected = f"version 1: segment female-3, {corrupted} served prediction(s) differ from the registered model's"
    assert expected in texts(watch())


def test_accuracy_is_measured_where_outcomes_have_arrived(
    candidate: UPath, serving: Serving, watch: Callable[[], Report]
) -> None:
    del candidate
    predictions = serving.server.predict(traffic(3))["predictions"]
    send_outcomes(serving, predictions[:100], right=False)
    report = watch()
    [total] = [row for row in report.daily[today()] if row["segment"] == "all"]
    assert (total["predictions"], total["outcomes"], total["accuracy"], total["alarm"]) == (400, 100, 0.0, True)
    assert "segment all, accuracy 0.000 on 100 known outcomes, 0.8" in texts(report)
    assert total["estimated"] == pytest.approx(total["expected"], abs=0.05)


def test_a_fallen_estimate_is_no_measured_accuracy(serving: Serving, watch: Callable[[], Report]) -> None:
    """One outcome is known, and the prediction was wrong."""
    sent = traffic(2)
    predictions = serving.server.predict(sent)["predictions"]
    first = next(number for number, item in enumerate(sent) if item["Sex"] == "male" and item["Pclass"] == 3)
    send_outcomes(serving, predictions[first : first + 1], right=False)
    wait(lambda: serving.server.health()["log_waiting"] == 0)
    with psycopg.connect(serving.warehouse) as connection:
        connection.execute(
            "UPDATE predictions SET probability = 0.5 + (probability - 0.5) / 20"
            " WHERE inputs->>'Sex' = 'male' AND inputs->>'Pclass' = '3' AND purpose = 'live'"
        )
    report = watch()
    assert "segment male-3, accuracy estimated at 0." in texts(report)
    assert "on 1 known outcomes" not in texts(report)


def test_outcomes_that_arrive_later_judge_their_day_again(serving: Serving, watch: Callable[..., Report]) -> None:
    earlier = dt.datetime.now(dt.UTC) - dt.timedelta(days=20)
    predictions = serving.server.replay(traffic(5), earlier)["predictions"]
    assert watch(earlier.date()).alarms == []
    assert watch().daily == {today(): []}
    send_outcomes(serving, predictions, right=False)
    report = watch()
    assert set(report.daily) == {today(), earlier.date()}
    assert f"on {earlier.date()}, outcomes arrived late: segment all, accuracy 0.000 on 400" in texts(report)
    accuracies = "SELECT outcomes, accuracy, alarm FROM model_daily WHERE segment = 'all'"
    assert rows(serving, accuracies) == [(400, 0.0, True)]
    drift = rows(serving, "SELECT count(*) FROM model_drift")
    with psycopg.connect(serving.warehouse) as connection:
        connection.execute("UPDATE outcomes SET arrived_at = arrived_at - interval '1 hour'")
    assert watch().daily == {today(): []}, "nothing has changed since"
    send_outcomes(serving, predictions, right=True)
    assert texts(watch()) == ""
    assert rows(serving, accuracies) == [(400, 1.0, False)]
    assert rows(serving, "SELECT count(*) FROM model_drift") == drift


def test_another_models_load_hides_no_late_outcome(serving: Serving, registry: Registry, tmp_path: Path) -> None:
    earlier = dt.datetime.now(dt.UTC) - dt.timedelta(days=20)
    send_outcomes(serving, serving.server.replay(traffic(5)[:30], earlier)["predictions"], right=True)
    wait(lambda: serving.server.health()["log_waiting"] == 0)
    with psycopg.connect(serving.warehouse) as connection:
        connection.execute("UPDATE outcomes SET arrived_at = arrived_at - interval '1 hour'")
    day, read_at = earlier.date(), dt.datetime.now(dt.UTC)
    other = Report(model="other", date=day, read_at=read_at, replayed=0, drift=[], daily={day: []}, alarms=[], notes=[])
    file = UPath(tmp_path / "other.json")
    file.write_text(other.model_dump_json())
    pipeline.load_report(file, serving.warehouse, ATTEMPT)
    assert late.changed(serving.warehouse, registry.name, MODEL_DAILY, today()) == [day]


def test_answers_that_cannot_be_judged_are_named_and_the_others_are_judged(
    serving: Serving, watch: Callable[[], Report]
) -> None:
    def older(day: pd.DataFrame) -> Any:
        return day["Age"] + 20 * segment(day).eq("male-2")

    serving.server.predict(traffic(6, Age=older))
    again = traffic(7)[0]
    for _ in range(4):
        serving.server.predict([again] * 1000)
    wait(lambda: serving.server.health()["log_waiting"] == 0)
    name = f"{again['Sex']}-{again['Pclass']}"
    with psycopg.connect(serving.warehouse) as connection:
        chosen = (
            "prediction_id IN (SELECT prediction_id FROM predictions WHERE inputs->>'Sex' = 'female'"
            " AND inputs->>'Pclass' = '{}' AND inputs->>'Name' <> %s AND purpose = 'live' ORDER BY 1 LIMIT {})"
        )
        for update, where in (
            ("probability = 'NaN'", chosen.format(1, 7)),
            ("inputs = inputs || '{\"Age\": -5}'", chosen.format(2, 3)),
            ("model_version = 9", chosen.format(3, 11)),
        ):
            connection.execute(f"UPDATE predictions SET {update} WHERE {where}", [again["Name"]])  # noqa: S608
    report = watch()
    found = texts(report)
    assert "version 1: segment female-1, 7 of " in found
    assert "answers aren't a probability: missing, NaN, or outside 0 to 1" in found
    assert "version 1: 3 of 4389 logged rows don't have the model's schema" in found
    assert f"segment {name}, one row was sent 4000 times" in found or f"segment {name}, one row was sent 4001" in found
    assert "version 9: 11 prediction(s) can't be compared" in found
    assert "the registry no longer has" in found
    assert any("version 9 served 11 prediction(s), fewer than 25" in note for note in report.notes)
    drifted = {(row["segment"], row["feature"]) for row in report.drift if row["alarm"]}
    assert {name for name, _ in drifted} == {"male-2"}, "the copies don't count as drift"
    daily = rows(serving, "SELECT version, predictions, expected IS NULL FROM model_daily WHERE segment = 'all'")
    assert sorted(daily) == [(1, 4389, False), (9, 11, True)]


def test_a_day_without_a_single_possible_answer_is_named(serving: Serving, watch: Callable[[], Report]) -> None:
    serving.server.predict([item for item in traffic(9) if item["Sex"] == "male" and item["Pclass"] == 2])
    wait(lambda: serving.server.health()["log_waiting"] == 0)
    with psycopg.connect(serving.warehouse) as connection:
        count = connection.execute("UPDATE predictions SET probability = 'NaN' WHERE purpose = 'live'").rowcount
    report = watch()
    assert f"version 1: segment male-2, {count} of {count} answers aren't a probability" in texts(report)
    assert len(report.alarms) == 1
    assert rows(serving, "SELECT segment, predictions, estimated FROM model_daily") == [("all", count, None)]


@pytest.mark.parametrize("count", [1, 24])
def test_a_day_of_few_predictions_is_said_to_be_one(serving: Serving, watch: Callable[[], Report], count: int) -> None:
    serving.server.predict(traffic(8)[:count])
    report = watch()
    assert report.notes == [
        f"version 1 served {count} prediction(s), fewer than 25: too few to find a drift in this day alone"
    ]
    assert report.alarms == []
    assert rows(serving, "SELECT predictions FROM model_daily WHERE segment = 'all'") == [(count,)]


def test_an_acknowledged_alarm_fails_no_run_until_it_changes(serving: Serving, judge: Callable[..., UPath]) -> None:
    def older(ago: int, years: int) -> UPath:
        at = dt.datetime.now(dt.UTC) - dt.timedelta(days=ago)
        serving.server.replay(traffic(ago, Age=lambda day: day["Age"] + years * segment(day).eq("male-2")), at)
        return judge(at.date())

    key = "drift/1/male-2/Age"
    first = older(3, 20)
    with pytest.raises(DriftError, match=key):
        pipeline.alert(first, serving.warehouse)
    with pytest.raises(AcknowledgementError, match="acknowledge has no reason"):
        pipeline.alert(first, serving.warehouse, only=[key])
    with pytest.raises(AcknowledgementError, match=rf"no/such/alarm: .*{key}"):
        pipeline.alert(first, serving.warehouse, "a tour of older men", ["no/such/alarm"])
    pipeline.alert(first, serving.warehouse, "a tour of older men")
    acknowledged = rows(serving, "SELECT alarm, reason FROM model_alarm_acknowledgement")
    assert (key, "a tour of older men") in acknowledged
    acknowledge = "the same tour"
    second = older(2, 18)
    assert key in texts(Report.model_validate_json(second.read_bytes()))
    with pytest.raises(DriftError) as raised:
        pipeline.alert(second, serving.warehouse)
    assert key not in str(raised.value), "only what grows with more days is new"
    pipeline.alert(second, serving.warehouse, acknowledge)
    with pytest.raises(DriftError, match=key):
        pipeline.alert(older(1, 48), serving.warehouse)


@pytest.mark.weekly
def test_weekends_that_differ_regularly_are_learnt_once_they_are_acknowledged(
    serving: Serving, judge: Callable[..., UPath]
) -> None:
    seasonal = replace(TITANIC, watched=replace(TITANIC.watched, season=lambda day: str(day.weekday() >= 5)))

    def older(rows: pd.DataFrame) -> Any:
        return rows["Age"] + 12

    monday = today() - dt.timedelta(days=today().weekday() + 14)
    raised = []
    for number in range(13):
        day = monday + dt.timedelta(days=number)
        at = dt.datetime.combine(day, dt.time(12), dt.UTC)
        serving.server.replay(traffic(100 + number, **({"Age": older} if day.weekday() >= 5 else {})), at)
        file = judge(day, seasonal)
        try:
            pipeline.alert(file, serving.warehouse)
        except DriftError:
            raised.append(day)
            pipeline.alert(file, serving.warehouse, "weekends are older")
    assert raised == [monday + dt.timedelta(days=5)], "the first day of the first weekend only"


@pytest.mark.parametrize("silent", [0, 30])
def test_a_drop_in_volume_raises_an_alarm(serving: Serving, watch: Callable[[], Report], silent: int) -> None:
    """Also if nothing was served for some days before."""
    serving.server.predict(traffic(4))
    watch()
    with psycopg.connect(serving.warehouse) as connection:
        connection.execute(
            "INSERT INTO model_daily (day, model, version, segment, predictions, outcomes, expected, alarm, load_id,"
            " loaded_at) SELECT (day - n), model, version, segment, 1000, 0, expected, false, load_id, loaded_at"
            " FROM model_daily, generate_series(1 + %s, 14 + %s) AS n WHERE segment = 'all'",
            [silent, silent],
        )
    assert "volume: 400 live predictions, the median of the last 14 days with any is 1000" in texts(watch())
