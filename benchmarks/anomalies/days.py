"""The days that are loaded: recorded weather, and simulated retail days made from the five recorded ones.

A simulated retail day is a sample of the 352 recorded invoices, whole, each at most once:

- Their number is 70, times a factor of the weekday (Sunday 0.5; no Saturdays), a yearly season of ±25 %, growth of 40 %
  a year, and chance (log-normal, 0.35). How many come from which recorded day is drawn for each day (Dirichlet).
- One line in ten is left out; the times of day are as recorded.
- Each day, one stock code in 200 gets a new price for good (log-normal, 0.1), and one in 200 is replaced by a new code.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
Day = tuple[dt.date, list[Row]]
DATA = Path(__file__).parents[2] / "include" / "data"
FIRST = dt.date(2011, 1, 3)
STORES = tuple(f"Store {number}" for number in range(1, 9))
UK = ZoneInfo("Europe/London")
PENNY = Decimal("0.01")


def openweather() -> Iterator[Day]:
    """Yield 1,277 recorded days of London, New York and Tokyo; temperatures in °F."""
    yield from _weather("owm_daily_newyork_london_tokyo.csv", "city", "condition", ("temp_mean_c",))


def noaa() -> Iterator[Day]:
    """Yield 1,461 recorded days of Seattle and New York; the temperature is the mean of maximum and minimum, in °F."""
    yield from _weather("noaa_daily_seattle_newyork.csv", "location", "weather", ("temp_max", "temp_min"))


def _weather(file: str, city: str, conditions: str, celsius: tuple[str, ...]) -> Iterator[Day]:
    days = defaultdict(list)
    for row in _read("weather", file):
        temperature = sum(float(row[name]) for name in celsius) / len(celsius) * 1.8 + 32
        days[dt.date.fromisoformat(row["date"])].append(
            {
                "date": dt.date.fromisoformat(row["date"]),
                "city": row[city],
                "temperature": round(temperature, 2),
                "temperature_unit": "°F",
                "conditions": row[conditions],
                "source": "open_meteo",
            }
        )
    yield from sorted(days.items())


def retail(count: int, generator: np.random.Generator, stores: tuple[str, ...] = ()) -> Iterator[Day]:
    """Yield simulated days.

    Args:
        count: number of days.
        generator: source of chance.
        stores: instead of countries, if given; the day's invoices are dealt to them in turn.
    """
    recorded = [list(invoices.values()) for invoices in _invoices()]
    prices: dict[str, Decimal] = defaultdict(lambda: Decimal(1))
    names: dict[str, str] = {}
    codes = sorted({row["StockCode"] for invoices in recorded for invoice in invoices for row in invoice})
    number, day = 540_000, FIRST
    for _ in range(count):
        day += dt.timedelta(days=2 if day.weekday() == 4 else 1)
        for code in generator.choice(codes, len(codes) // 200, replace=False):
            prices[str(code)] *= Decimal(repr(round(float(generator.lognormal(0, 0.1)), 4)))
        for code in generator.choice(codes, len(codes) // 200, replace=False):
            names[str(code)] = f"{code[:12]}-{day:%y%j}"
        rows = []
        for turn, invoice in enumerate(
            sorted(_drawn(recorded, day, generator), key=lambda rows: str(rows[0]["InvoiceDate"])[11:])
        ):
            number += 1
            store = stores[turn % len(stores)] if stores else invoice[0]["Country"]
            rows += [
                _line(row, day, number, store, prices[row["StockCode"]], names.get(row["StockCode"], row["StockCode"]))
                for row in invoice
                if len(invoice) == 1 or generator.random() < 0.9
            ]
        yield day, numbered(rows)


def numbered(rows: list[Row]) -> list[Row]:
    """Return the rows with the numbers of their lines."""
    return [row | {"line": line} for line, row in enumerate(rows, start=2)]


def hash_of(text: str) -> int:
    """Return a number that is the same in each process."""
    return sum(ord(character) * 31**index for index, character in enumerate(text))


def _drawn(
    recorded: list[list[list[dict[str, str]]]], day: dt.date, generator: np.random.Generator
) -> Iterator[list[dict[str, str]]]:
    elapsed = (day - FIRST).days / 365.25
    level = 70 * (0.5 if day.weekday() == 6 else 1) * (1 + 0.25 * np.sin(2 * np.pi * elapsed)) * 1.4**elapsed
    wanted = level * generator.lognormal(0, 0.35) * generator.dirichlet([len(invoices) / 40 for invoices in recorded])
    for invoices, share in zip(recorded, wanted, strict=True):
        for index in generator.choice(len(invoices), min(len(invoices), max(1, round(share))), replace=False):
            yield invoices[index]


def _line(row: dict[str, str], day: dt.date, number: int, country: str, factor: Decimal, code: str) -> Row:
    time = dt.datetime.fromisoformat(row["InvoiceDate"])
    return {
        "day": day,
        "invoice_no": f"{row['InvoiceNo'][:-6]}{number}",
        "stock_code": code,
        "description": row["Description"] or None,
        "quantity": int(row["Quantity"]),
        "invoiced_at": dt.datetime.combine(day, time.time(), UK),
        "unit_price": (Decimal(row["UnitPrice"]) * factor).quantize(PENNY),
        "customer_id": int(float(row["CustomerID"])) if row["CustomerID"] else None,
        "country": country,
    }


def _invoices() -> Iterator[dict[str, list[dict[str, str]]]]:
    """Yield each recorded day's lines by invoice."""
    for path in sorted((DATA / "retail").glob("online_retail_*.csv")):
        invoices = defaultdict(list)
        for row in _read("retail", path.name):
            invoices[row["InvoiceNo"]].append(row)
        yield invoices


def _read(folder: str, name: str) -> list[dict[str, str]]:
    with (DATA / folder / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
