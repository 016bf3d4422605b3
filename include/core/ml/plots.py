"""Draws plots as PNG, without a display."""

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
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"  # distinguishable with colour blindness (Okabe and Ito 2008)


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure of ``width`` x ``height`` inches and its axes."""
    image = Figure((width, height), layout="constrained")
    axes = image.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return image, axes


def png(image: Figure) -> bytes:
    """Return the figure as PNG."""
    buffer = io.BytesIO()
    image.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def calibration(curve: Sequence[tuple[float, float, int]], title: str) -> bytes:
    """Draw mean probability against observed share, one dot per bin with an area proportional to its rows."""
    image, axes = figure(5, 4.5)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    probabilities, shares, counts = zip(*curve, strict=True)
    axes.plot(probabilities, shares, color=BLUE, linewidth=1)
    axes.scatter(probabilities, shares, [20 + 180 * count / max(counts) for count in counts], color=BLUE)
    axes.set(xlabel="predicted probability", ylabel="observed share", title=title, xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left")
    return png(image)


def intervals(values: Mapping[str, tuple[float, float]], limit: float, title: str, label: str) -> bytes:
    """Draw named means with their standard deviations, and the required limit."""
    image, axes = figure(7, 0.5 * len(values) + 1.3)
    positions = range(len(values))
    axes.errorbar(
        [mean for mean, _ in values.values()],
        list(positions),
        xerr=[deviation for _, deviation in values.values()],
        fmt="o",
        color=BLUE,
        capsize=3,
    )
    axes.axvline(limit, color=ORANGE, linewidth=1, label=f"required: {limit:g}")
    axes.set_yticks(list(positions), list(values))
    axes.invert_yaxis()
    axes.set(xlabel=label, title=title, ylim=(len(values) - 0.5, -0.5))
    axes.legend(frameon=False)
    return png(image)


def pairs(values: Mapping[str, tuple[float, float]], names: tuple[str, str], title: str, label: str) -> bytes:
    """Draw two adjacent bars for each name."""
    image, axes = figure(7, 4)
    for index, (name, colour) in enumerate(zip(names, (BLUE, ORANGE), strict=True)):
        bars = axes.bar(
            [position + 0.4 * (index - 0.5) for position in range(len(values))],
            [pair[index] for pair in values.values()],
            width=0.38,
            color=colour,
            label=name,
        )
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.set_xticks(range(len(values)), list(values))
    axes.set(ylabel=label, title=title)
    image.legend(frameon=False, loc="outside lower center", ncols=2)
    return png(image)


def bars(values: Mapping[str, float], title: str, label: str) -> bytes:
    """Draw one bar per name, the longest on top."""
    ordered = dict(sorted(values.items(), key=lambda item: item[1]))
    image, axes = figure(7, 0.35 * len(values) + 1.2)
    axes.barh(list(ordered), list(ordered.values()), color=BLUE)
    axes.set(xlabel=label, title=title)
    return png(image)


def confusion(matrix: NDArray[np.int64], names: Sequence[str], title: str) -> bytes:
    """Draw a confusion matrix, observed x predicted, with its counts."""
    image, axes = figure(5.5, 5)
    axes.imshow(matrix, cmap="Blues")
    for row, counts in enumerate(matrix):
        for column, count in enumerate(counts):
            colour = "white" if count > matrix.max() / 2 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), list(names))
    axes.set_yticks(range(len(names)), list(names))
    axes.set(xlabel="predicted", ylabel="observed", title=title)
    return png(image)
