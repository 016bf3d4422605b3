"""The recorded data sets: location and description.

Each loader reads its file once, on first use.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "include" / "data"


@dataclass(frozen=True)
class Dataset:
    """One recorded data set, as ``GET /about`` describes it; days are ``YYYY-MM-DD``, both inclusive."""

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


DERIVED = {
    "any other day up to today": "a recorded day's rows, named in the header X-Replayed-Day: weather of the same "
    "date, the others in turn; dates are moved, invoices and tickets get their own numbers",
    "weather_code, weather[].id": "from the recorded condition text, by the table in devstack/upstreams/conditions.py",
    "visibility, clouds": "implied by the condition text; not measured",
    "feels_like, dew_point": "computed from the recorded temperature, humidity and wind",
    "sunrise, sunset": "computed from the date and the coordinates",
    "wind_deg, wind_gust, wind.deg": "not recorded, so left out",
    "Open-Meteo variables that were not recorded": 'null, with the unit "undefined"',
}


def read_csv(name: str, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of ``include/data/<name>`` as strings, in recorded order.

    Raises:
        FileNotFoundError: if the file is missing.
    """
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))
