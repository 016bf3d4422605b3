"""The work of ``weather_data_pipeline`` without Airflow: its tasks' functions in sequence, in one process.

Uses the database and sample upstreams of a running stack: ``python -m benchmarks.baseline``.
"""

from __future__ import annotations

import datetime as dt
import os
import sys

from devstack import environment
from devstack.environment import Upstream
from devstack.postgres import Postgres
from devstack.state import REPOSITORY, State


def main() -> None:
    """Load yesterday's data."""
    state = State.open()
    os.environ.update(environment.airflow(state, Upstream.REPLAY, schedule=False))
    sys.path.append(str(REPOSITORY / "plugins"))
    from airflow.sdk import ObjectStoragePath

    from include.core.settings import OBJECT_STORAGE
    from include.core.warehouse.attempt import Attempt
    from include.domains.weather import pipeline
    from include.domains.weather.cities import load_cities
    from spellbook.hooks.weather import WeatherHook

    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    uri = Postgres.of(state).uri("warehouse")
    pipeline.create_table(uri)
    raw = pipeline.extract(
        WeatherHook().get_conn(),
        ObjectStoragePath(OBJECT_STORAGE.read()),
        cities=[city.name for city in load_cities()],
        date=day,
        requested_on=dt.datetime.now(dt.UTC).date(),
        run_id="baseline",
    )
    pipeline.transform(ObjectStoragePath(raw))
    pipeline.load(ObjectStoragePath(raw), uri, Attempt("weather_data_pipeline", "load_weather", "baseline", 1))


if __name__ == "__main__":
    main()
