"""Daily weather of a few cities, from a weather API into the warehouse.

## What
Asks for the weather of one UTC day, keeps the raw answers, converts °C to °F, checks each row, publishes the good ones.

## Inputs
- connection `weather_default`: type `open_meteo` (no key) or `openweathermap` (key as password)
- param `cities`: names from `include/domains/weather/cities.yaml`, or `{"name": …, "latitude": …, "longitude": …}`
- the day: the first of the run's data interval; the day before the trigger, if the run has none

## Outputs
- table `weather_data(date, city, temperature, temperature_unit, conditions, source)`: a row a day and city, in °F
- rows that were refused, with the reason: table `quarantine`
- raw answers: `weather/raw/date=…/` in object storage
- asset `weather_data`, when a day is complete

## On failure
The error says what to fix; rows loaded before are unchanged. See `docs/runbooks/weather_data_pipeline.md`.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from airflow.sdk import Asset, CronDataIntervalTimetable, ObjectStoragePath, Param, dag, task
from pendulum import datetime

from include.core.dag import run_day, storage_root, warehouse_uri
from include.core.tags import Tag
from include.domains.weather.cities import cities_schema, load_cities

CITIES = load_cities()


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2012, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "cities": Param(
            [city.name for city in CITIES],
            description="Names from include/domains/weather/cities.yaml, or {name, latitude, longitude}.",
            **cities_schema(CITIES),
        )
    },
    default_args={"owner": "data-platform"},
    tags=[Tag.INGEST, Tag.WEATHER],
    doc_md=__doc__,
)
def weather_data_pipeline() -> None:
    """Create, extract, transform, load."""

    @task(pool="database_access")
    def create_table(postgres_conn_id: str) -> None:
        """Create `weather_data` where it is missing."""
        from include.domains.weather import pipeline

        pipeline.create_table(warehouse_uri(postgres_conn_id))

    @task(pool="weather_api")
    def extract_weather(weather_conn_id: str, postgres_conn_id: str, **context: Any) -> str:
        """Ask the weather API for the day and keep its answers; return where they are."""
        from include.domains.weather import pipeline
        from spellbook.hooks.weather import weather_hook

        run = context["dag_run"]
        return pipeline.extract(
            weather_hook(weather_conn_id, warehouse_uri(postgres_conn_id)),
            storage_root(),
            wanted=context["params"]["cities"],
            date=run_day(context),
            asked_on=(run.start_date or run.run_after).astimezone(UTC).date(),
            run_id=run.run_id,
        )

    @task
    def transform_weather(raw: str) -> str:
        """Convert to °F and split the good rows from the bad."""
        from include.domains.weather import pipeline

        return pipeline.transform(ObjectStoragePath(raw))

    @task(pool="database_access", outlets=[Asset("weather_data")])
    def load_weather(raw: str, postgres_conn_id: str, **context: Any) -> None:
        """Publish the good rows, quarantine the bad, and demand every city."""
        from include.core.warehouse.attempt import Attempt
        from include.domains.weather import pipeline

        pipeline.load(ObjectStoragePath(raw), warehouse_uri(postgres_conn_id), Attempt.from_context(context))

    raw = extract_weather("weather_default", "postgres_default")
    create_table("postgres_default") >> raw
    load_weather(transform_weather(raw), "postgres_default")


weather_data_pipeline()
