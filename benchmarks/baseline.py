"""The work of ``weather_data_pipeline`` without Airflow: its tasks' functions, one after the other, in one process.

Run beside a running stack, whose database and sample upstreams it uses: ``python -m benchmarks.baseline``.
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
    """Load yesterday."""
    state = State.open()
    os.environ.update(environment.airflow(state, Upstream.REPLAY, schedule=False))
    sys.path.append(str(REPOSITORY / "plugins"))
    from airflow.sdk import ObjectStoragePath

    from include.core.settings import OBJECT_STORAGE
    from include.core.warehouse.attempt import Attempt
    from include.domains.weather import pipeline
    from include.domains.weather.cities import load_cities
    from spellbook.hooks.weather import weather_hook

    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    uri = Postgres.of(state).uri("warehouse")
    pipeline.create_table(uri)
    raw = pipeline.extract(
        weather_hook("weather_default", uri),
        ObjectStoragePath(OBJECT_STORAGE.read()),
        wanted=[city.name for city in load_cities()],
        date=day,
        asked_on=dt.datetime.now(dt.UTC).date(),
        run_id="baseline",
    )
    pipeline.transform(ObjectStoragePath(raw))
    pipeline.load(ObjectStoragePath(raw), uri, Attempt("weather_data_pipeline", "load_weather", "baseline", 1))


if __name__ == "__main__":
    main()
