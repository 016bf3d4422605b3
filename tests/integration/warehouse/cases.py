"""The dataset, rows and attempts that these tests load."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from psycopg import sql

from include.core.warehouse.attempt import Attempt
from include.core.warehouse.dataset import Column, Dataset

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

DAY = date(2024, 6, 1)
CITIES = ("London", "New York", "Tokyo")
WEATHER = Dataset(
    name="weather_data",
    columns=(
        Column("date", "date", doc="UTC day"),
        Column("city", "text"),
        Column("temperature", "double precision", minimum=-90, maximum=60, doc="Degrees Celsius"),
        Column("conditions", "text"),
    ),
    key=("date", "city"),
    partition="date",
    complete_by="city",
)
FIRST = Attempt(
    dag_id="weather_data_pipeline",
    task_id="load_weather",
    run_id="scheduled__2024-06-01",
    try_number=1,
    run_started=datetime(2024, 6, 2, tzinfo=UTC),
)
SECOND = replace(FIRST, try_number=2)


def observation(
    city: str, temperature: float | None = 20.5, day: date = DAY, conditions: str = "Clear"
) -> dict[str, object]:
    return {"date": day, "city": city, "temperature": temperature, "conditions": conditions}


def observations(*cities: str, temperature: float | None = 20.5) -> list[dict[str, object]]:
    return [observation(city, temperature) for city in cities or CITIES]


def published(session: Session) -> dict[str, float]:
    """Temperature by city in the table."""
    rows = session.execute("SELECT city, temperature FROM weather_data")
    return {str(city): float(str(temperature)) for city, temperature in rows}


def count(session: Session, table: str) -> int:
    [number] = session.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone() or [0]
    return int(str(number))
