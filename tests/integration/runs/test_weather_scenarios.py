"""The weather API misbehaves, through Airflow: how the run ends, the rows afterwards, and the report.

One scenario for each way in which a run can end; `tests/integration/weather` has all scenarios, without Airflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from devstack.api import Airflow
from devstack.environment import local_url
from devstack.load import load
from devstack.stack import Stack
from devstack.upstreams.client import Control
from tests.integration.runs.conftest import RunResult, maker

DAG = "weather_data_pipeline"
ALL = ["London", "New York", "Tokyo"]
ARCHIVE = "/v1/archive"
FIRST_DAY = date(2024, 6, 1)

Query = Callable[..., list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Case:
    """A scenario of the sample upstreams and the expected result.

    Attributes:
        scenario: its name.
        options: its options.
        times: how often it is played; ``None`` means always.
        cities: whose rows exist afterwards.
        says: words of the report, if the run is to fail.
        tries: tries of ``extract_weather``.
        quarantined: rows in quarantine.
        loaded_before: whether the day was loaded before.
    """

    scenario: str
    options: dict[str, Any] = field(default_factory=dict)
    times: int | None = None
    cities: list[str] = field(default_factory=list)
    says: tuple[str, ...] = ()
    tries: int = 1
    quarantined: int = 0
    loaded_before: bool = False


CASES = {
    "passes within a try": Case("rate_limited", {"retry_after": 1}, 2, ALL),
    "passes at the next try": Case("hang", {}, 1, ALL, tries=2),
    "does not pass": Case("server_error", {}, None, says=("Open-Meteo answered 500",), tries=4),
    "is permanent": Case("client_error", {"status": 401}, None, says=("answered 401", "put a valid API key")),
    "has copies": Case("duplicate_rows", {}, None, ALL, quarantined=3),
    "is incomplete": Case(
        "missing_city_nulls", {"index": 1}, None, ["New York", "Tokyo"], ("incomplete", "London"), quarantined=1
    ),
    "is wrong": Case("out_of_range", {}, None, ALL, ("London, New York, Tokyo",), quarantined=3, loaded_before=True),
}
DAYS = {name: FIRST_DAY + timedelta(days=number) for number, name in enumerate(CASES)}


@dataclass(frozen=True)
class Played:
    """How a case ended: its report, how often the scenario played, and the day's rows before."""

    result: RunResult
    times: int
    before: list[tuple[Any, ...]]


ROWS = "SELECT city, temperature FROM weather_data WHERE date = %s ORDER BY city"


@pytest.fixture(scope="module")
def ended(stack: Stack, query: Query) -> Iterator[dict[str, Future[Played]]]:
    """The runs of all cases in parallel, each for its own day."""
    control, airflow = Control(local_url(stack.state, "upstreams")), Airflow.of(stack.state)
    load(airflow, DAG, stack)
    airflow.patch(f"/dags/{DAG}", {"is_paused": False})  # otherwise the run that ends first would pause the others

    def play(name: str, case: Case) -> Played:
        make_run, day = maker(stack), DAYS[name]
        if case.loaded_before:
            assert make_run(DAG, day).good
        before = query(ROWS, day) if case.loaded_before else []
        match = {"start_date": day.isoformat()}
        with control.scenario(case.scenario, path=ARCHIVE, match=match, times=case.times, **case.options) as rule:
            return Played(make_run(DAG, day), rule.played, before)

    with ThreadPoolExecutor(4) as pool:
        yield {name: pool.submit(play, name, case) for name, case in CASES.items()}
    airflow.patch(f"/dags/{DAG}", {"is_paused": True})


@pytest.mark.parametrize("name", CASES)
def test_each_response_leads_to_the_expected_run_and_rows(
    name: str, ended: dict[str, Future[Played]], query: Query
) -> None:
    case, day = CASES[name], DAYS[name]
    played = ended[name].result()
    result = played.result
    assert played.times, "the scenario was never played"
    assert result.good is not bool(case.says), result.text
    for words in case.says:
        assert words in result.text
    outcome = "success" if case.cities or case.quarantined else "failed"
    assert f"extract_weather {outcome} (try {case.tries})" in result.text
    rows = query(ROWS, day)
    assert [city for city, _ in rows] == case.cities
    assert not case.loaded_before or rows == played.before
    [(quarantined,)] = query("SELECT count(*) FROM quarantine WHERE partition_key = %s", day.isoformat())
    assert quarantined == case.quarantined
