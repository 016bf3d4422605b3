"""Loads the daily weather of a few cities from a weather API into the warehouse.

## What
Requests the weather of one UTC day, stores the raw responses, converts °C to °F, and publishes the valid rows.

## Inputs
- connection `weather_default`: type `open_meteo` (no key) or `openweathermap` (key as password)
- param `cities`: names from `include/domains/weather/cities.yaml`, or `{"name": …, "latitude": …, "longitude": …}`
- param `preview`: show what the run would change, and write nothing
- the day: the first of the run's data interval; the day before the trigger, if the run has none

## Outputs
- table `weather_data(date, city, temperature, temperature_unit, conditions, source)`: a row per day and city, in °F
- table `quarantine`: rejected rows with the reason
- raw responses: `weather/raw/day=…/` in object storage
- asset `weather_data`, when a day is complete

## On failure
The error says what to fix; previously loaded rows are unchanged. See `docs/runbooks/weather_data_pipeline.md`.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from airflow.sdk import Asset, CronDataIntervalTimetable, ObjectStoragePath, Param, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, accept_param, publication, run_day, storage_root, warehouse_uri
from include.core.tags import Tag
from include.domains.weather.cities import cities_schema, load_cities

CITIES = load_cities()


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2012, 1, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW
    | {
        "cities": Param(
            [city.name for city in CITIES],
            description="Names from include/domains/weather/cities.yaml, or {name, latitude, longitude}.",
            **cities_schema(CITIES),
        ),
        "accept": accept_param(),
    },
    default_args={"owner": "data-platform"},
    tags=[Tag.INGEST, Tag.WEATHER],
    doc_md=__doc__,
)
def weather_data_pipeline() -> None:
    """Create, extract, transform, load."""

    @task(pool="database_access")
    def create_table(postgres_conn_id: str, **context: Any) -> None:
        """Create `weather_data` if it doesn't exist, unless the run is a preview."""
        from include.domains.weather import pipeline

        if not context["params"]["preview"]:
            pipeline.create_table(warehouse_uri(postgres_conn_id))

    @task(pool="weather_api")
    def extract_weather(weather_conn_id: str, postgres_conn_id: str, **context: Any) -> str:
        """Request the day from the weather API and store the responses; return the file's URL."""
        from include.domains.weather import pipeline
        from spellbook.hooks.weather import WeatherHook

        run = context["dag_run"]
        return pipeline.extract(
            WeatherHook(weather_conn_id, postgres_conn_id).get_conn(),
            storage_root(),
            cities=context["params"]["cities"],
            date=run_day(context),
            requested_on=(run.start_date or run.run_after).astimezone(UTC).date(),
            run_id=run.run_id,
        )

    @task
    def transform_weather(raw: str) -> str:
        """Convert to °F, and split valid from invalid rows."""
        from include.domains.weather import pipeline

        return pipeline.transform(ObjectStoragePath(raw))

    @task(pool="database_access", outlets=[Asset("weather_data")])
    def load_weather(raw: str, postgres_conn_id: str, **context: Any) -> None:
        """Publish the valid rows, quarantine the others, and fail if a city is missing."""
        from include.domains.weather import pipeline

        with publication(context) as attempt:
            pipeline.load(ObjectStoragePath(raw), warehouse_uri(postgres_conn_id), attempt)

    raw = extract_weather("weather_default", "postgres_default")
    create_table("postgres_default") >> raw
    load_weather(transform_weather(raw), "postgres_default")


weather_data_pipeline()
