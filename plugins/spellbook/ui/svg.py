"""Geometry of the charts, which the templates draw as SVG: no script, no style attribute."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from include.ops.health.detail import Measure

WIDTH, HEIGHT = 1000, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 24  # margins of the plot
SMALL_WIDTH, SMALL_HEIGHT, SMALL_MARGIN = 220, 48, 5
TICKS = 5
FEW = 60  # points of a line that are marked with dots
GAP = 30  # times the shortest step, over which no line is drawn


class Tick(NamedTuple):
    """A mark of an axis."""

    position: float
    label: str


class Line(NamedTuple):
    """A line; ``pieces`` are attributes ``points`` of ``polyline``, ``dots`` its positions if there are few."""

    name: str
    pieces: list[str]
    dots: list[tuple[float, float]]


class LineChart(NamedTuple):
    """A chart with axes."""

    width: int
    height: int
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


class Sparkline(NamedTuple):
    """A small chart; the band from ``band_top``, ``band_height`` high, is the range of the loads before the newest."""

    width: int
    height: int
    points: str
    last: tuple[float, float]
    band_top: float
    band_height: float


def line_chart(series: Mapping[str, Sequence[tuple[float, float]]], *, is_number: bool) -> LineChart:
    """Return the chart of the points by series; ``is_number`` tells that x isn't a day (days since the year 1)."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    y_marks = _marks(min(ys), max(ys))
    (left, right), (lowest, highest) = _widened(min(xs), max(xs)), (y_marks[0], y_marks[-1])

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - left) / (right - left) * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - (y - lowest) / (highest - lowest) * (HEIGHT - TOP - BOTTOM), 1)

    lines = [
        Line(name, _pieces(points, place), [place(*point) for point in points] if len(points) <= FEW else [])
        for name, points in series.items()
    ]
    x_marks = _marks(left, right)[1:-1] if is_number else _days(min(xs), max(xs))
    return LineChart(
        WIDTH,
        HEIGHT,
        lines,
        [Tick(place(x, lowest)[0], f"{x:g}" if is_number else f"{date.fromordinal(int(x))}") for x in x_marks],
        [Tick(place(left, y)[1], f"{y:g}") for y in y_marks],
    )


def sparkline(measure: Measure) -> Sparkline:
    """Return the chart of a measure of the loads."""
    values = [value for _, value in measure.values]
    lowest, highest = _widened(min(values), max(values))
    step = (SMALL_WIDTH - 2 * SMALL_MARGIN) / max(1, len(values) - 1)

    def down(value: float) -> float:
        share = (value - lowest) / (highest - lowest)
        return round(SMALL_HEIGHT - SMALL_MARGIN - share * (SMALL_HEIGHT - 2 * SMALL_MARGIN), 1)

    points = [(round(SMALL_MARGIN + index * step, 1), down(value)) for index, value in enumerate(values)]
    top, bottom = (
        (down(measure.highest), down(measure.lowest))
        if measure.lowest is not None and measure.highest is not None
        else (0.0, 0.0)
    )
    return Sparkline(SMALL_WIDTH, SMALL_HEIGHT, _joined(points), points[-1], top, max(0.0, round(bottom - top, 1)))


def _pieces(points: Sequence[tuple[float, float]], place: Callable[[float, float], tuple[float, float]]) -> list[str]:
    """Return the parts of a line between gaps."""
    steps = [after[0] - before[0] for before, after in pairwise(points)]
    longest = GAP * min((step for step in steps if step > 0), default=0)
    pieces = [[place(*points[0])]]
    for step, point in zip(steps, points[1:], strict=True):
        if step > longest:
            pieces.append([])
        pieces[-1].append(place(*point))
    return [_joined(piece) for piece in pieces]


def _joined(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in places)


def _widened(lowest: float, highest: float) -> tuple[float, float]:
    return (lowest, highest) if lowest < highest else (lowest - 1, highest + 1)


def _marks(lowest: float, highest: float) -> list[float]:
    """Return evenly spaced round numbers, from below the lowest to above the highest."""
    lowest, highest = _widened(lowest, highest)
    rough = (highest - lowest) / (TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _days(first: float, last: float) -> list[float]:
    count = min(TICKS, int(last - first) + 1)
    if count < 2:
        return [first]
    return [math.floor(first + index * (last - first) / (count - 1)) for index in range(count)]
