"""A year of weather, with 60 calls a minute.

OpenWeatherMap answers for one city a call, and for 60 calls in any minute: each of the 365 runs makes three. The sample
server refuses what exceeds that, as the real one does. Ours is a backfill with four runs at once, and the baseline one
with a run at a time, of a month; both accept what the history would refuse, such as the cold wave of December 2022. The
limit is what the budget allows: 60 calls at once, and 60 more each minute.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, time, timedelta

from benchmarks.comparison import Comparison, Goal, Role, Series
from benchmarks.own_stack import OwnStack, own_stack
from devstack.environment import local_url
from devstack.stack import Stack
from devstack.state import REPOSITORY
from devstack.trigger import wait_for_previous_backfill
from devstack.upstreams.client import Control
from devstack.waiting import wait_for
from include.domains.weather.cities import load_cities
from include.domains.weather.openweathermap import OpenWeatherMap
from include.domains.weather.settings import WEATHER

DAG = "weather_data_pipeline"
YEAR, MONTH = (date(2023, 1, 1), date(2023, 12, 31)), (date(2022, 12, 1), date(2022, 12, 31))
TOLERANCE = 1.1
TOO_MANY_REQUESTS = 429


def compare(repeats: int) -> list[Comparison]:
    """Measure once, since the year takes 20 minutes."""
    del repeats
    files = {f"{DAG}.py": (REPOSITORY / "dags" / f"{DAG}.py").read_text("utf-8")}
    with own_stack(files, ("airflow", "upstreams", "sinks"), configure=_openweathermap) as own:
        own.unpause([DAG])
        own.run(DAG)  # the first run pays for imports
        month = _backfill(own, *MONTH, at_once=1)
        year = _backfill(own, *YEAR, at_once=4)
        served = Control(local_url(own.stack.state, "upstreams")).requests()
    cities = len(load_cities())
    least = (_days(*YEAR) * cities // OpenWeatherMap.calls_per_minute) * 60 / _days(*YEAR)
    refused = sum(request["status"] == TOO_MANY_REQUESTS for request in served)
    return [
        Comparison(
            "a run of a year",
            "s",
            (
                Series(Role.OURS, "four runs at once", [year]),
                Series(Role.BASELINE, "one run at a time", [month]),
                Series(Role.LIMIT, "", [least]),
            ),
            Goal(at_most=TOLERANCE, of=Role.LIMIT),
        ),
        Comparison("calls answered with 429", "calls", (Series(Role.OURS, "", [refused]),), Goal(at_most=0)),
    ]


def _openweathermap(stack: Stack) -> dict[str, str]:
    connection = json.loads(stack.airflow_environment()[WEATHER.variable])
    return {WEATHER.variable: json.dumps(connection | {"conn_type": "openweathermap", "password": "0" * 32})}


def _backfill(own: OwnStack, first: date, last: date, *, at_once: int) -> float:
    """Load the days; return the seconds per run.

    Raises:
        SystemExit: if a run fails; the end of each failed task's log is printed.
    """
    wait_for_previous_backfill(DAG, own.airflow)
    begin = datetime.now(UTC)
    own.airflow.post(
        "/backfills",
        {
            "dag_id": DAG,
            "from_date": datetime.combine(first, time(), UTC).isoformat(),
            "to_date": datetime.combine(last, time(), UTC).isoformat(),
            "max_active_runs": at_once,
            "dag_run_conf": {"accept": "the recorded weather of a whole year"},
        },
    )

    def unfinished() -> int:
        states = ["queued", "running"]
        path = f"/dags/{DAG}/dagRuns"
        return int(own.airflow.get(path, run_type="backfill", state=states, limit=1)["total_entries"])

    wait_for(lambda: not unfinished(), f"the runs of {first} to {last}", progress=unfinished, poll=1)
    seconds = (datetime.now(UTC) - begin) / timedelta(seconds=1)
    failed = own.airflow.pages(f"/dags/{DAG}/dagRuns", "dag_runs", run_type="backfill", state="failed")
    if failed:
        sys.exit("\n".join(own.failure_logs(DAG, run["dag_run_id"]) for run in failed))
    return seconds / _days(first, last)


def _days(first: date, last: date) -> int:
    return (last - first).days + 1
