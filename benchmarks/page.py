"""Writes ``docs/performance.md`` and its plot from the last results: ``python -m benchmarks.page``."""

from __future__ import annotations

import ast
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
MODULES = (
    "make_run",
    "parse",
    "sources",
    "rate_limit",
    "backfill",
    "handoff",
    "cached",
    "retail",
    "csv_files",
    "compose_stack",
    "growth",
)
"""In the order of the page; those of removed examples are missing."""
HEAD = """\
# How fast it is

`make bench` measures everything on this page and writes it anew; `make bench OF=parse` measures one section. Each value
is the median, with the smallest and the largest of its repeats. *Baseline* is what a user would write or pick instead,
*limit* what the machine can do at best; they take turns with ours in the same minutes. A goal that was missed is
explained below its table.
"""
COLUMNS = "| | ours | baseline | limit | goal | |\n|---|---|---|---|---|---|"


def main() -> None:
    """Write the page, and the plot if the page has changed."""
    results = last_results()
    page = text(results)
    if page != PAGE.read_text(encoding="utf-8"):
        PAGE.write_text(page, encoding="utf-8")
        PLOT.write_bytes(_plot(results))


def existing() -> list[str]:
    """Return the benchmarks of this checkout that have a section."""
    return [name for name in MODULES if (REPOSITORY / "benchmarks" / f"{name}.py").exists()]


def last_results() -> list[Result]:
    """Return the stored results, in the order of the page."""
    return [result for name in existing() if (result := read(name))]


def text(results: list[Result]) -> str:
    """Return the page."""
    sections = [HEAD, "![ours beside baseline and limit](images/performance.png)\n"]
    for result in results:
        title, _, about = _docstring(result.name).partition("\n\n")
        rows = "\n".join(map(_row, result.comparisons))
        reasons = dict.fromkeys(item.why for item in result.comparisons if _is_explained(item))
        explained = "\n".join(f"- {_explained(result, why)}" for why in reasons)
        parts = (f"## {_flowing(title.rstrip('.'))}", _flowing(about), f"{COLUMNS}\n{rows}", explained, _origin(result))
        sections.append("\n\n".join(filter(None, parts)) + "\n")
    return "\n".join(sections)


def _explained(result: Result, why: str) -> str:
    """Return what is explained, and its explanation."""
    return f"{'; '.join(item.what for item in result.comparisons if item.why == why and _is_explained(item))}: {why}"


def _is_explained(comparison: Comparison) -> bool:
    """Tell whether a row has an explanation that applies to what was measured."""
    return bool(comparison.why) and (comparison.goal is None or not comparison.is_met)


def _docstring(name: str) -> str:
    """Return the docstring of a benchmark, without importing what it measures."""
    source = (REPOSITORY / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or ""


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
    return ", ".join(f"{sign} {bound:.3g}{of}" for sign, bound in bounds if bound is not None)


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
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(yticks=range(len(rows)), yticklabels=[what for what, _ in rows], xlabel="value divided by ours")
    axes.grid(axis="y", color="#eeeeee")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return png(image)


if __name__ == "__main__":
    main()
