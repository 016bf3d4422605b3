"""Plots as PNG, drawn without a display."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

DOTS_PER_INCH = 120
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"  # told apart by colour-blind readers too (Okabe and Ito 2008)


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure of ``width`` x ``height`` inches and its axes."""
    made = Figure((width, height), layout="constrained")
    axes = made.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return made, axes


def png(made: Figure) -> bytes:
    """Return the figure as PNG."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def calibration(curve: Sequence[tuple[float, float, int]], title: str) -> bytes:
    """Draw mean probability against observed share, a dot a bin, its area growing with the bin's rows."""
    made, axes = figure(5, 4.5)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    largest = max(rows for _, _, rows in curve)
    axes.plot([one[0] for one in curve], [one[1] for one in curve], color=BLUE, linewidth=1)
    axes.scatter(
        [one[0] for one in curve], [one[1] for one in curve], [20 + 180 * one[2] / largest for one in curve], color=BLUE
    )
    axes.set(xlabel="predicted probability", ylabel="observed share", title=title, xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left")
    return png(made)


def intervals(values: Mapping[str, tuple[float, float]], limit: float, title: str, label: str) -> bytes:
    """Draw named means with their standard deviations, and the limit that is asked."""
    made, axes = figure(7, 0.5 * len(values) + 1.3)
    places = range(len(values))
    axes.errorbar(
        [mean for mean, _ in values.values()],
        list(places),
        xerr=[deviation for _, deviation in values.values()],
        fmt="o",
        color=BLUE,
        capsize=3,
    )
    axes.axvline(limit, color=ORANGE, linewidth=1, label=f"asked: {limit:g}")
    axes.set_yticks(list(places), list(values))
    axes.invert_yaxis()
    axes.set(xlabel=label, title=title, ylim=(len(values) - 0.5, -0.5))
    axes.legend(frameon=False)
    return png(made)


def pairs(values: Mapping[str, tuple[float, float]], names: tuple[str, str], title: str, label: str) -> bytes:
    """Draw two bars for each name, side by side."""
    made, axes = figure(7, 4)
    for place, (name, colour) in enumerate(zip(names, (BLUE, ORANGE), strict=True)):
        bars = axes.bar(
            [position + 0.4 * (place - 0.5) for position in range(len(values))],
            [pair[place] for pair in values.values()],
            width=0.38,
            color=colour,
            label=name,
        )
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.set_xticks(range(len(values)), list(values))
    axes.set(ylabel=label, title=title)
    made.legend(frameon=False, loc="outside lower center", ncols=2)
    return png(made)


def bars(values: Mapping[str, float], title: str, label: str) -> bytes:
    """Draw one bar a name, the longest on top."""
    ordered = dict(sorted(values.items(), key=lambda item: item[1]))
    made, axes = figure(7, 0.35 * len(values) + 1.2)
    axes.barh(list(ordered), list(ordered.values()), color=BLUE)
    axes.set(xlabel=label, title=title)
    return png(made)


def confusion(matrix: NDArray[np.int64], names: Sequence[str], title: str) -> bytes:
    """Draw a confusion matrix, observed x predicted, with its counts."""
    made, axes = figure(5.5, 5)
    axes.imshow(matrix, cmap="Blues")
    for row, counts in enumerate(matrix):
        for column, count in enumerate(counts):
            colour = "white" if count > matrix.max() / 2 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), list(names))
    axes.set_yticks(range(len(names)), list(names))
    axes.set(xlabel="predicted", ylabel="observed", title=title)
    return png(made)
