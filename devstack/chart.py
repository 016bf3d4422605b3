"""Charts of the temperature by city and day, for the terminal and as PNG."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import plotext
import psycopg
from matplotlib import pyplot
from rich.table import Table

mpl.use("Agg")

RECENT_DAYS = 30


def rows(warehouse: psycopg.Cursor[dict[str, Any]], days: list[str]) -> list[dict[str, Any]]:
    """Return the published rows for ``days`` (ISO dates): date, city, temperature in °F, conditions."""
    return warehouse.execute(
        "SELECT date, city, temperature, conditions FROM weather_data WHERE date = ANY(%s::date[]) ORDER BY date, city",
        [days],
    ).fetchall()


def recent(warehouse: psycopg.Cursor[dict[str, Any]], last: str) -> list[dict[str, Any]]:
    """Return the published rows for the 30 days up to ``last``."""
    first = date.fromisoformat(last) - timedelta(days=RECENT_DAYS - 1)
    days = [(first + timedelta(days=offset)).isoformat() for offset in range(RECENT_DAYS)]
    return rows(warehouse, days)


def table(published: list[dict[str, Any]], most: int = 12) -> Table:
    """Return the first ``most`` rows as a table."""
    title = f"weather_data: {len(published)} rows" + (f", the first {most}" if len(published) > most else "")
    drawn = Table(title=title, title_justify="left")
    for heading in ("date", "city", "temperature °F", "conditions"):
        drawn.add_column(heading, justify="right" if "°F" in heading else "left")
    for row in published[:most]:
        drawn.add_row(str(row["date"]), row["city"], f"{row['temperature']:.1f}", row["conditions"])
    return drawn


def in_terminal(published: list[dict[str, Any]]) -> str:
    """Return the chart as text, without colours: bars for one day, else a line for each city."""
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(90, 14)
    plotext.title("Temperature, °F")
    days = sorted({row["date"] for row in published})
    cities = _by_city(published)
    if len(days) == 1:
        temperatures = [round(values[days[0]], 1) for values in cities.values()]
        plotext.simple_bar(list(cities), temperatures, width=90, title="Temperature, °F")
    else:
        for marker, (city, values) in zip(cycle("●▲■◆+x*o"), cities.items(), strict=False):
            known = [day for day in days if day in values]
            plotext.plot([days.index(day) for day in known], [values[day] for day in known], label=city, marker=marker)
        shown = days[:: max(1, len(days) // 6)]
        plotext.xticks([days.index(day) for day in shown], [day.isoformat() for day in shown])
    return str(plotext.uncolorize(plotext.build()))


def picture(published: list[dict[str, Any]], credit: str, path: Path) -> None:
    """Write the chart as a PNG to ``path``."""
    days = sorted({row["date"] for row in published})
    figure, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
    if len(days) == 1:
        cities = _by_city(published)
        bars = axes.bar(list(cities), [values[days[0]] for values in cities.values()], color="#4c72b0", width=0.5)
        axes.bar_label(bars, fmt="%.1f")
        axes.set_title(f"Temperature on {days[0]}")
    else:
        for city, values in _by_city(published).items():
            axes.plot(sorted(values), [values[day] for day in sorted(values)], marker="o", markersize=3, label=city)
        axes.legend(frameon=False)
        axes.set_title(f"Temperature, {days[0]} to {days[-1]}")
        axes.margins(x=0.01)
        shown = days[:: max(1, len(days) // 8)]
        axes.set_xticks(shown, [f"{day:%d %b}" for day in shown])
    axes.set_ylabel("°F")
    axes.spines[["top", "right"]].set_visible(False)
    figure.text(0.01, -0.02, credit, fontsize=6, color="grey", wrap=True)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


def _by_city(published: list[dict[str, Any]]) -> dict[str, dict[date, float]]:
    cities: dict[str, dict[date, float]] = defaultdict(dict)
    for row in published:
        cities[row["city"]][row["date"]] = row["temperature"]
    return dict(sorted(cities.items()))
