"""What goes wrong: each fault changes a day's rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

from benchmarks.anomalies.days import PENNY, STORES, Row, hash_of, numbered

Rows = list[Row]
Fault = Callable[[Rows, Rows], Rows]
"""Takes a day's rows and those of the day before, and returns the bad ones."""


def _temperature(change: Callable[[float], float], cities: int | None = None) -> Fault:
    def fault(rows: Rows, _: Rows) -> Rows:
        return [
            row | {"temperature": round(change(row["temperature"]), 2)} if cities is None or index < cities else row
            for index, row in enumerate(rows)
        ]

    return fault


def _celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) / 1.8


def _repeated_day(rows: Rows, before: Rows) -> Rows:
    old = {row["city"]: row["temperature"] for row in before}
    return [row | {"temperature": old[row["city"]]} for row in rows]


def _stuck(column: str, rows: Rows, _: Rows) -> Rows:
    return [row | {column: rows[0][column]} for row in rows]


def _swapped(left: str, right: str, rows: Rows, _: Rows) -> Rows:
    return [
        row | {left: row[right], right: row[left]} for row in rows if row[left] is not None and row[right] is not None
    ]


def _empty(_rows: Rows, _before: Rows) -> Rows:
    return []


WEATHER: dict[str, Fault] = {
    "°C as °F, every city": _temperature(_celsius),
    "°C as °F, one city": _temperature(_celsius, 1),
    "°F converted to °F again, every city": _temperature(lambda value: value * 1.8 + 32),
    "°F converted to °F again, one city": _temperature(lambda value: value * 1.8 + 32, 1),
    "K as °F": _temperature(lambda value: _celsius(value) + 273.15),
    "temperature x10": _temperature(lambda value: value * 10),
    "temperature divided by 10": _temperature(lambda value: value / 10),
    "temperature +20 °F": _temperature(lambda value: value + 20),
    "temperature +10 °F": _temperature(lambda value: value + 10),
    "temperature +5 °F": _temperature(lambda value: value + 5),
    "missing city": lambda rows, _: rows[1:],
    "duplicated file": lambda rows, _: rows + rows,
    "empty file": _empty,
    "shifted column: conditions in source": partial(_swapped, "conditions", "source"),
    "stuck: the temperatures of the day before": _repeated_day,
    "stuck: the same temperature in every city": partial(_stuck, "temperature"),
}


def _prices(factor: str, share: float = 1.0) -> Fault:
    def fault(rows: Rows, _: Rows) -> Rows:
        return [
            row | {"unit_price": (row["unit_price"] * Decimal(factor)).quantize(PENNY, ROUND_HALF_UP)}
            if hash_of(row["stock_code"]) % 100 < share * 100
            else row
            for row in rows
        ]

    return fault


def _quantities(factor: int) -> Fault:
    return lambda rows, _: [row | {"quantity": row["quantity"] * factor} for row in rows]


def _without(country: str) -> Fault:
    return lambda rows, _: numbered([row for row in rows if row["country"] != country])


def _without_half(country: str) -> Fault:
    return lambda rows, _: numbered(
        [row for index, row in enumerate(rows) if row["country"] != country or index % 2 == 0]
    )


def _first(share: float) -> Fault:
    return lambda rows, _: rows[: round(len(rows) * share)]


def _repeated(share: float) -> Fault:
    return lambda rows, _: numbered(rows + rows[: round(len(rows) * share)])


def _price_as_quantity(rows: Rows, _: Rows) -> Rows:
    return [row | {"unit_price": Decimal(row["quantity"]), "quantity": round(row["unit_price"])} for row in rows]


def _an_hour_later(rows: Rows, _: Rows) -> Rows:
    return [row | {"invoiced_at": row["invoiced_at"] + dt.timedelta(hours=1)} for row in rows]


RETAIL: dict[str, Fault] = {
    **{
        f"prices x{factor}": _prices(factor)
        for factor in ("1.02", "1.05", "1.1", "1.2", "1.5", "2", "10", "100", "0.1")
    },
    **{f"prices x1.1 for {share:.0%} of the codes": _prices("1.1", share) for share in (0.5, 0.25, 0.1)},
    **{f"quantities x{factor}": _quantities(factor) for factor in (2, 6, 10, 12)},
    "empty file": _empty,
    **{f"truncated to {share:.0%}": _first(share) for share in (0.9, 0.75, 0.5, 0.25, 0.1)},
    "duplicated file": _repeated(1),
    **{f"{share:.0%} of the file repeated": _repeated(share) for share in (0.5, 0.25, 0.1, 0.05)},
    "missing country: United Kingdom": _without("United Kingdom"),
    "missing country: Germany": _without("Germany"),
    "shifted column: price and quantity": _price_as_quantity,
    "shifted column: code and description": partial(_swapped, "stock_code", "description"),
    "shifted column: country and code": partial(_swapped, "country", "stock_code"),
    "stuck: price": partial(_stuck, "unit_price"),
    "stuck: quantity": partial(_stuck, "quantity"),
    "stuck: stock code": partial(_stuck, "stock_code"),
    "stuck: country": partial(_stuck, "country"),
    "customers missing": lambda rows, _: [row | {"customer_id": None} for row in rows],
    "times an hour late": _an_hour_later,
}
STORES_FAULTS: dict[str, Fault] = {
    "missing store": _without(STORES[0]),
    "half of a store missing": _without_half(STORES[0]),
    "two missing stores": lambda rows, before: _without(STORES[1])(_without(STORES[0])(rows, before), before),
    "duplicated file": _repeated(1),
}
