"""Each way in which the weather API misbehaves, through Airflow: how the run ends, which rows stand, what is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from devstack.upstreams.client import Control
from tests.integration.runs.conftest import Make

ALL = ["London", "New York", "Tokyo"]
ARCHIVE = "/v1/archive"
FIRST_DAY = date(2024, 6, 1)

Query = Callable[..., list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Case:
    """A scenario of the sample upstreams and what must come of it.

    Attributes:
        scenario: its name.
        options: its options.
        times: how often it is played; ``None`` means always.
        cities: whose rows stand afterwards.
        says: words of the report, if the run is to fail.
        tries: tries of ``extract_weather``.
        quarantined: rows in quarantine.
    """

    scenario: str
    options: dict[str, Any] = field(default_factory=dict)
    times: int | None = None
    cities: list[str] = field(default_factory=list)
    says: tuple[str, ...] = ()
    tries: int = 1
    quarantined: int = 0


PASSING = [
    Case("rate_limited", {"retry_after": 1}, 2, ALL),
    Case("rate_limited_http_date", {}, 1, ALL),
    Case("rate_limited_without_hint", {}, 2, ALL),
    Case("server_error", {}, 2, ALL),
    Case("bad_gateway_html", {}, 1, ALL),
    Case("connection_reset", {}, 1, ALL),
    Case("cut_json", {}, 1, ALL),
    Case("cut_json_streaming_error", {}, 1, ALL),
    Case("slow_bytes", {"seconds": 1, "pieces": 5}, None, ALL),
    Case("hang", {}, 1, ALL, tries=2),
    Case("extra_field", {}, None, ALL),
    Case("duplicate_rows", {}, None, ALL, quarantined=3),
]
FAILING = [
    Case("server_error", {}, None, says=("Open-Meteo answered 500",), tries=4),
    Case("client_error", {"status": 400}, None, says=("answered 400", "correct the request")),
    Case("client_error", {"status": 401}, None, says=("answered 401", "put a valid API key")),
    Case("client_error", {"status": 404}, None, says=("answered 404", "check the connection's host")),
    Case("oversized", {}, None, says=("the answer is larger than 5000000 bytes",)),
    Case("missing_city", {"index": 2}, None, ["London", "New York"], ("incomplete", "Tokyo")),
    Case("missing_city_nulls", {"index": 1}, None, ["New York", "Tokyo"], ("incomplete", "London"), quarantined=1),
    Case("wrong_types", {}, None, [], ("London, New York, Tokyo",), quarantined=3),
    Case("nan", {}, None, [], ("London, New York, Tokyo",), quarantined=3),
    Case("null_values", {}, None, [], ("London, New York, Tokyo",), quarantined=3),
    Case("out_of_range", {}, None, [], ("London, New York, Tokyo",), quarantined=3),
    Case("stale_date", {}, None, [], ("London, New York, Tokyo",), quarantined=3),
]
CASES = [(case, FIRST_DAY + timedelta(days=offset)) for offset, case in enumerate(PASSING + FAILING)]


@pytest.mark.parametrize(("case", "day"), CASES, ids=[f"{case.scenario}-{case.times or 'always'}" for case, _ in CASES])
def test_scenario(case: Case, day: date, make_run: Make, control: Control, query: Query) -> None:
    match = {"start_date": day.isoformat()}
    with control.scenario(case.scenario, path=ARCHIVE, match=match, times=case.times, **case.options) as rule:
        said = make_run("weather_data_pipeline", day)
        assert rule.played, "the scenario was never asked for"
    assert said.good is not bool(case.says), said.text
    for words in case.says:
        assert words in said.text
    outcome = "success" if case.cities or case.quarantined else "failed"
    assert f"extract_weather {outcome} (try {case.tries})" in said.text
    rows = query("SELECT city FROM weather_data WHERE date = %s ORDER BY city", day)
    assert [city for (city,) in rows] == case.cities
    [(quarantined,)] = query("SELECT count(*) FROM quarantine WHERE partition_key = %s", day.isoformat())
    assert quarantined == case.quarantined


def test_a_bad_answer_leaves_the_rows_of_before(make_run: Make, control: Control, query: Query) -> None:
    day = date(2024, 5, 1)
    assert make_run("weather_data_pipeline", day).good
    before = query("SELECT city, temperature FROM weather_data WHERE date = %s ORDER BY city", day)
    with control.scenario("out_of_range", path=ARCHIVE, match={"start_date": day.isoformat()}):
        assert not make_run("weather_data_pipeline", day).good
    assert query("SELECT city, temperature FROM weather_data WHERE date = %s ORDER BY city", day) == before
