"""The table ``weather_data``: its columns and constraints."""

from __future__ import annotations

from include.core.warehouse.dataset import DAILY, Chart, Column, Dataset
from include.core.warehouse.history_settings import History, Recurring

TEMPERATURE_UNIT = "°F"
LOWEST, HIGHEST = -130.0, 140.0
"""°F, that is -90 °C and 60 °C: slightly beyond the extremes ever measured on Earth."""

WEATHER_DATA = Dataset(
    name="weather_data",
    columns=(
        Column("date", "date", doc="UTC day"),
        Column("city", "text", doc="Name as requested"),
        Column(
            "temperature", "double precision", minimum=LOWEST, maximum=HIGHEST, doc=f"Air at 2 m, {TEMPERATURE_UNIT}"
        ),
        Column(
            "temperature_unit",
            "text",
            allowed=(TEMPERATURE_UNIT,),
            doc=f"Unit of temperature, always {TEMPERATURE_UNIT}",
        ),
        Column("conditions", "text", doc="A value of Conditions in include/domains/weather/conditions.py"),
        Column(
            "source",
            "text",
            doc="open_meteo (mean of the day) or openweathermap (reading at 12:00 UTC); for sample data with its day",
        ),
    ),
    key=("date", "city"),
    partition="date",
    complete_by="city",
    freshness=DAILY,
    duplicates="reject",
    history=History(recurring=(Recurring("temperature", by=("city",)),)),
    chart=Chart(x="date", y="temperature", series="city"),
)
