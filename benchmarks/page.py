"""Writes ``docs/performance.md`` and its plot from the last results: ``python -m benchmarks.page``."""

from __future__ import annotations

import importlib.util
import inspect
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.comparison import Goal, Role
from benchmarks.results import read
from devstack.state import REPOSITORY
from include.core.ml.plots import BLUE, GREY, ORANGE, figure, png

if TYPE_CHECKING:
    from benchmarks.comparison import Comparison, Series
    from benchmarks.results import Result

PAGE = REPOSITORY / "docs" / "performance.md"
PLOT = REPOSITORY / "docs" / "images" / "performance.png"
MODULES = ("make_run", "parse", "sources", "rate_limit", "handoff", "cached", "retail", "csv_files", "compose_stack")
"""In the order of the page; those of removed examples are missing."""
HEAD = """\
# How fast it is

`make bench` measures everything on this page and writes it anew; `make bench OF=parse` measures one section. Each value
is the median, with the smallest and the largest of its repeats. *Baseline* is what a user would write or pick instead,
*limit* what the machine can do at best; they take turns with ours in the same minutes. A goal that was missed is
explained below its table.
"""


def main() -> None:
    """Write page and plot."""
    results = last_results()
    PAGE.write_text(text(results), encoding="utf-8")
    PLOT.write_bytes(_plot(results))


def existing() -> list[str]:
    """Return the benchmarks of this checkout that have a section."""
    return [name for name in MODULES if importlib.util.find_spec(f"benchmarks.{name}")]


def last_results() -> list[Result]:
    """Return the stored results, in the order of the page."""
    return [result for name in existing() if (result := read(name))]


def text(results: list[Result]) -> str:
    """Return the page."""
    sections = [HEAD, "![ours beside baseline and limit](images/performance.png)\n"]
    for result in results:
        title, _, about = (inspect.getdoc(import_module(f"benchmarks.{result.name}")) or "").partition("\n\n")
        first = title.split(": ``python")[0].rstrip(".")
        rows = [_row(comparison) for comparison in result.comparisons]
        explained = [f"- {item.what}: {item.why}" for item in result.comparisons if item.why]
        sections.append(
            f"## {first}\n\n{_flowing(about)}\n\n| | ours | baseline | limit | goal | |\n|---|---|---|---|---|---|\n"
            + "\n".join(rows)
            + ("\n\n" + "\n".join(explained) if explained else "")
            + f"\n\n{_origin(result)}\n"
        )
    return "\n".join(sections)


def _flowing(about: str) -> str:
    """Return paragraphs as one line each, with Markdown's code marks."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in about.replace("``", "`").split("\n\n")]
    return "\n\n".join(paragraphs)


def _row(comparison: Comparison) -> str:
    met = "" if comparison.goal is None else ("met" if comparison.is_met else "**missed**")
    cells = [_value(comparison.of(role), comparison.unit) for role in (Role.OURS, Role.BASELINE, Role.LIMIT)]
    return f"| {comparison.what} | {' | '.join(cells)} | {_goal(comparison.goal, comparison.unit)} | {met} |"


def _value(series: Series | None, unit: str) -> str:
    if series is None:
        return ""
    spread = ""
    if len(series.values) > 1:
        spread = f" ({_number(min(series.values))} to {_number(max(series.values))})"
    return f"{_number(series.median)} {unit}{spread}" + (f", {series.name}" if series.name else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _goal(goal: Goal | None, unit: str) -> str:
    if goal is None:
        return ""
    of = f" times {goal.of}" if goal.of else f" {unit}"
    bounds = (("≤", goal.at_most), ("≥", goal.at_least))
    return ", ".join(f"{sign} {bound:g}{of}" for sign, bound in bounds if bound is not None)


def _origin(result: Result) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in result.machine.items())
    return f"<sub>{result.measured_on}, {result.commit}: {machine}</sub>"


def _relative(comparison: Comparison) -> dict[Role, float]:
    """Return baseline and limit, each divided by ours."""
    ratios = ((role, comparison.ratio(role)) for role in (Role.BASELINE, Role.LIMIT))
    return {role: 1 / ratio for role, ratio in ratios if ratio}


def _plot(results: list[Result]) -> bytes:
    """Draw baseline and limit of each row, relative to ours, on a logarithmic axis."""
    rows = [
        (comparison.what, ratios)
        for result in reversed(results)
        for comparison in reversed(result.comparisons)
        if (ratios := _relative(comparison))
    ]
    image, axes = figure(9, 0.32 * len(rows) + 1.2)
    axes.axvline(1, color=BLUE, linewidth=2, label="ours")
    for role, colour, marker in ((Role.BASELINE, ORANGE, "s"), (Role.LIMIT, GREY, "D")):
        points = [(ratios[role], place) for place, (_, ratios) in enumerate(rows) if role in ratios]
        if points:
            axes.scatter(*zip(*points, strict=True), color=colour, marker=marker, label=role.value, zorder=3)
    axes.set_xscale("log")
    axes.set(yticks=range(len(rows)), yticklabels=[what for what, _ in rows], xlabel="value divided by ours")
    axes.grid(axis="y", color="#eeeeee")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return png(image)


if __name__ == "__main__":
    main()
