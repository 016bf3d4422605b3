"""Grafana's dashboard without Grafana: run each panel's queries, and draw the results.

``python -m tests.e2e.dashboard URL PICTURE`` draws the panels and prints the queries without data.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, FuncFormatter

DASHBOARD = Path(__file__).parents[2] / "deploy" / "monitoring" / "grafana" / "dashboards" / "airflow.json"
COLUMNS = 3
POINTS = 240  # a series, at most


@dataclass(frozen=True)
class Series:
    """One line: its legend, and its points as (seconds since 1970, value)."""

    legend: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PanelResult:
    """The data of one panel.

    Attributes:
        row: heading above the panel.
        title: its own.
        unit: Grafana's name of the unit: ``s``, ``percentunit`` (1 is 100 %) or ``short``.
        series: all lines of all its queries.
        empty: its queries without series.
    """

    row: str
    title: str
    unit: str
    series: tuple[Series, ...]
    empty: tuple[str, ...]


def panels(
    prometheus_url: str, *, minutes: float = 60, end: float | None = None, dashboard: Path = DASHBOARD
) -> list[PanelResult]:
    """Run each panel's queries over the last ``minutes`` before ``end`` (seconds since 1970; default: now).

    Raises:
        requests.HTTPError: if Prometheus refuses a query; the message holds its reason.
    """
    end = time.time() if end is None else end
    span = {"start": end - minutes * 60, "end": end, "step": max(15.0, minutes * 60 / POINTS)}
    results, row = [], ""
    for panel in json.loads(dashboard.read_text())["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        series: list[Series] = []
        empty = []
        for target in panel["targets"]:
            matrix = _query_range(prometheus_url, target["expr"], span)
            series += [Series(_legend(target["legendFormat"], line["metric"]), _points(line)) for line in matrix]
            if not any(_points(line) for line in matrix):
                empty.append(target["expr"])
        unit = panel["fieldConfig"]["defaults"]["unit"]
        results.append(PanelResult(row, panel["title"], unit, tuple(series), tuple(empty)))
    return results


def draw(results: Sequence[PanelResult], path: Path) -> None:
    """Draw the panels, three per row, into the PNG file ``path``."""
    height = math.ceil(len(results) / COLUMNS)
    figure = Figure(figsize=(6.4 * COLUMNS, 3.2 * height), layout="constrained", facecolor="white")
    axes = figure.subplots(height, COLUMNS, squeeze=False, sharex=True).ravel()
    for plot, result in zip(axes, results, strict=False):
        _draw_panel(plot, result)
    for plot in axes[len(results) :]:
        plot.set_axis_off()
    figure.savefig(path, dpi=90)


def _query_range(prometheus_url: str, expression: str, span: dict[str, float]) -> list[dict[str, Any]]:
    parameters: dict[str, str | float] = {"query": expression, **span}
    with requests.Session() as session:
        session.trust_env = False
        response = session.get(f"{prometheus_url}/api/v1/query_range", params=parameters, timeout=120)
    if not response.ok:
        raise requests.HTTPError(f"Prometheus answered {response.status_code} to {expression}: {response.text}")
    result: list[dict[str, Any]] = response.json()["data"]["result"]
    return result


def _points(series: dict[str, Any]) -> tuple[tuple[float, float], ...]:
    numbers = ((float(moment), float(value)) for moment, value in series["values"])
    return tuple((moment, value) for moment, value in numbers if math.isfinite(value))


def _legend(template: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda name: labels.get(name[1], ""), template)


def _draw_panel(plot: Axes, result: PanelResult) -> None:
    plot.set_title(f"{result.row}: {result.title}", fontsize=11, loc="left")
    visible = [series for series in result.series if series.points]
    for series in visible:
        moments: list[Any] = [datetime.fromtimestamp(moment, UTC) for moment, _ in series.points]
        values = [value for _, value in series.points]
        plot.plot(moments, values, label=series.legend, linewidth=1.4, marker="." if len(values) < 4 else None)
    if not visible:
        plot.text(0.5, 0.5, "no data", transform=plot.transAxes, ha="center", va="center", color="grey")
        plot.xaxis.set_visible(False)
        plot.yaxis.set_visible(False)
        return
    low, high = plot.get_ylim()
    plot.set_ylim(min(0.0, low), high + 0.05 * (high - min(0.0, low)))
    plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _in_unit(value, result.unit)))
    clock: Callable[..., Formatter] = dates.DateFormatter
    plot.xaxis.set_major_formatter(clock("%H:%M", tz=UTC))
    plot.tick_params(labelsize=8, labelbottom=True)
    plot.grid(alpha=0.3)
    if len(visible) <= 10:
        plot.legend(fontsize=7, loc="best", framealpha=0.6)


def _in_unit(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.4g}".rstrip() if value == 0 else f"{value * 100:.3g} %"
    if unit != "s":
        return f"{value:g}"
    for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if abs(value) >= 2 * size:
            return f"{value / size:.3g} {name}"
    return f"{value * 1000:.3g} ms" if 0 < abs(value) < 0.5 else f"{value:.3g} s"


if __name__ == "__main__":
    panel_results = panels(sys.argv[1])
    draw(panel_results, Path(sys.argv[2]))
    for result in panel_results:
        for expression in result.empty:
            print(f"no data: {result.title}: {expression}")
