"""The recorded data sets: where they lie, and what they are.

Nothing is read at import; each loader reads its file once, on first use.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "include" / "data"


@dataclass(frozen=True)
class Dataset:
    """One recorded data set, as ``GET /about`` describes it; days are ``YYYY-MM-DD``, both included."""

    name: str
    served_at: tuple[str, ...]
    first_day: str
    last_day: str
    licence: str
    attribution: str
    note: str

    def describe(self) -> dict[str, object]:
        """Return the JSON object for ``/about``."""
        return asdict(self)


_WEATHER_PATHS = ("/v1/forecast", "/v1/archive")

DATASETS = (
    Dataset(
        "openweather_daily",
        (*_WEATHER_PATHS, "/data/2.5/weather", "/data/3.0/onecall/timemachine"),
        "2021-07-04",
        "2024-12-31",
        "CC BY-SA 4.0",
        "Weather data provided by OpenWeather (https://openweathermap.org)",
        "London, New York, Tokyo; about six readings brought to one row per UTC day. A day is a UTC day whatever the "
        "timezone asked. The current weather is today's mean.",
    ),
    Dataset(
        "noaa_daily",
        _WEATHER_PATHS,
        "2012-01-01",
        "2015-12-31",
        "public domain (US government work)",
        "NOAA National Climatic Data Center, daily summaries",
        "Seattle, New York; local days; no daily mean temperature, humidity or pressure.",
    ),
    Dataset(
        "sales",
        ("/sales", "/jobs"),
        "2010-12-01",
        "2010-12-22",
        "CC BY 4.0",
        "D. Chen, S. L. Sain, K. Guo (2012), Online Retail, UCI Machine Learning Repository, doi 10.24432/C5BW33",
        "Recorded days: 2010-12-01, -19, -20, -21, -22.",
    ),
    Dataset(
        "marketing",
        ("/marketing",),
        "2010-12-01",
        "2010-12-22",
        "CC BY 4.0",
        "S. Moro, P. Cortez, P. Rita (2014), Bank Marketing, UCI Machine Learning Repository, doi 10.24432/C5K306",
        "Recorded without dates: the server deals the rows, in file order, to 22 delivery days.",
    ),
    Dataset(
        "support",
        ("/support",),
        "2025-01-01",
        "2025-03-14",
        "no restriction on use (NYC Open Data)",
        "City of New York, NYC Open Data, 311 Service Requests (erm2-nwe9)",
        "Animal requests by created_at; times are New York local time without offset.",
    ),
)

DERIVED = {
    "any other day up to today": "a recorded day's rows, which the header X-Replayed-Day names: weather of the same "
    "date, the others in turn; dates are moved, invoices and tickets have numbers of their own",
    "weather_code, weather[].id": "from the recorded condition text, by the table in devstack/upstreams/conditions.py",
    "visibility, clouds": "implied by the condition text; not measured",
    "feels_like, dew_point": "computed from the recorded temperature, humidity and wind",
    "sunrise, sunset": "computed from the date and the coordinates",
    "wind_deg, wind_gust, wind.deg": "not recorded, so left out",
    "Open-Meteo variables that were not recorded": 'null, with the unit "undefined"',
}


def read_csv(name: str, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of ``include/data/<name>`` as text, in recorded order.

    Raises:
        FileNotFoundError: if the file is missing from the clone.
    """
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))
