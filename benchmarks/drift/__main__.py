"""Measures the drift monitoring: ``python -m benchmarks.drift`` writes the tables and the plot of ``docs/drift.md``.

All draws are seeded. Fails if a limit is missed.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from rich.console import Console
from threadpoolctl import threadpool_limits

from benchmarks.drift.estimate import estimates
from benchmarks.drift.months import Month, Population, Scenario
from devstack.state import REPOSITORY
from include.core.ml.drift.checks import Limits
from include.core.ml.plots import BLUE, GREY, ORANGE, png
from include.domains.titanic.features import segment

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

PAGE, PLOT = REPOSITORY / "docs" / "drift.md", REPOSITORY / "docs" / "images" / "drift.png"
BEGIN, END = "<!-- python -m benchmarks.drift writes what follows -->\n", "<!-- end -->\n"
ROWS, HISTORY, CREEP_DAYS = 400, 60, 20
FALSE_ALARMS = 0.05

CLEAN = Scenario("no change")
AGES = Scenario("ages rise by 1 % a day", ("Age",), change=lambda rows, day: rows.assign(Age=rows["Age"] * 1.01**day))
SHARES = (
    Scenario("share of missing ages (20 %)", ("missing Age",), share=lambda rows: rows["Age"].isna()),
    Scenario("share of Cherbourg (19 %)", ("Embarked=C", "Embarked=S"), share=lambda rows: rows["Embarked"].eq("C")),
    Scenario(
        "share of third-class women (16 %)",
        ("segment=female-3",),
        share=lambda rows: segment(rows).eq("female-3"),
    ),
    Scenario("share of women (35 %)", ("Sex=female", "Sex=male"), share=lambda rows: rows["Sex"].eq("female")),
)
CREEPS: tuple[tuple[Scenario, int, int | None], ...] = (
    (AGES, HISTORY, 7),
    *((scenario, HISTORY, 10 if "35" not in scenario.name else None) for scenario in SHARES),
    (AGES, 0, None),
)
"""Creep, healthy days before it, and the limit of the median delay."""


def _older(years: float, name: str = "") -> Scenario:
    def change(rows: pd.DataFrame, day: int) -> pd.DataFrame:
        del day
        return rows.assign(Age=rows["Age"] + years * (segment(rows).eq(name) if name else 1))

    return Scenario(f"ages + {years:g} years", ("Age",), change)


def _dearer(factor: float, name: str = "") -> Scenario:
    def change(rows: pd.DataFrame, day: int) -> pd.DataFrame:
        del day
        return rows.assign(Fare=rows["Fare"] * np.where(segment(rows).eq(name) if name else True, factor, 1.0))

    return Scenario(f"fares x {factor:g}", ("LogFare",), change)


def _lost(name: str = "") -> Scenario:
    def change(rows: pd.DataFrame, day: int) -> pd.DataFrame:
        del day
        return rows.assign(Age=rows["Age"].where(~segment(rows).eq(name)))

    return Scenario("ages missing", ("missing Age",), change)


SEGMENT = "female-3"
STEPS: tuple[tuple[str, Scenario], ...] = (
    *(("all rows", _older(years)) for years in (1, 2, 5, 10)),
    *(("all rows", _dearer(factor)) for factor in (1.02, 1.1, 1.25, 1.5)),
    *((SEGMENT, _older(years, SEGMENT)) for years in (5, 10, 20)),
    *((SEGMENT, _dearer(factor, SEGMENT)) for factor in (1.5, 2)),
    (SEGMENT, _lost(SEGMENT)),
    ("all rows", Scenario("predictions inverted", ("prediction",), invert=True)),
)
ROWS_A_DAY = (100, 400, 1600)


def main() -> int:
    """Measure, write the page's section and the plot, and return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--months", type=int, default=200, help="simulated months of each kind")
    parser.add_argument("--days", type=int, default=50, help="simulated days of each step")
    parser.add_argument("--print", action="store_true", help="write no files")
    arguments = parser.parse_args()
    console, population = Console(), Population.read()
    months = range(arguments.months)
    clean = {history: np.array(_parallel(_first, population, months, history, CLEAN, 30)) for history in (HISTORY, 0)}
    delays = [_parallel(_first, population, months, history, scenario, CREEP_DAYS) for scenario, history, _ in CREEPS]
    power = np.mean(_parallel(_steps, population, range(arguments.days)), axis=0)
    lines, passed = _months(arguments.months, clean, delays)
    lines += _power(arguments.days, power)
    lines += estimates(population, 200)
    text = "\n".join(lines) + "\n"
    console.print(text, markup=False)
    if not arguments.print:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{text}{END}{rest.split(END)[1]}")
        PLOT.write_bytes(_plot(delays, power))
    return 0 if passed else 1


def _parallel(
    function: Callable[..., Any], population: Population, seeds: range, *arguments: object
) -> NDArray[np.float64]:
    return np.array(Parallel(-1)(delayed(function)(population, seed, *arguments) for seed in seeds), dtype=np.float64)


def _first(population: Population, seed: int, history: int, scenario: Scenario, days: int) -> int:
    with threadpool_limits(1):
        return Month(population, seed, ROWS, history).first_alarm(scenario, days, Limits())[0]


def _steps(population: Population, seed: int) -> NDArray[np.float64]:
    """Return whether each step is found on its first day, by any test and by each: steps x rows a day x 3."""
    limits = Limits()
    found = np.zeros((len(STEPS), len(ROWS_A_DAY), 3))
    with threadpool_limits(1):
        for column, rows in enumerate(ROWS_A_DAY):
            month = Month(population, seed, rows, HISTORY)
            for row, (_, scenario) in enumerate(STEPS):
                _, alarms = month.first_alarm(scenario, 1, limits)
                found[row, column] = (
                    bool(alarms),
                    any(item.strength >= 1 and abs(item.shift) >= limits.shift for item in alarms),
                    any(item.p_value is not None and item.p_value < limits.of_a_day(limits.shapes) for item in alarms),
                )
    return found


def _months(
    count: int, clean: dict[int, NDArray[np.float64]], delays: list[NDArray[np.float64]]
) -> tuple[list[str], bool]:
    rates = {history: float((days <= 30).mean()) for history, days in clean.items()}
    passed = rates[HISTORY] <= FALSE_ALARMS
    lines = [
        f"### Months\n\n{count} months of {ROWS} predictions a day.\n",
        "| what happens | healthy days before | months with an alarm | median day | 10 % to 90 % | limit |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for history, rate in rates.items():
        required = f"{FALSE_ALARMS:.0%} of the months" if history else ""
        lines.append(f"| no change | {history} | {rate:.1%} | | | {required} |")
    for (scenario, history, limit), days in zip(CREEPS, delays, strict=True):
        low, median, high = (_day(value) for value in np.quantile(days, (0.1, 0.5, 0.9), method="higher"))
        passed &= limit is None or float(np.quantile(days, 0.5, method="higher")) <= limit
        name = scenario.name if "share" not in scenario.name else f"{scenario.name} + 0.5 points a day"
        until = f"day {limit}" if limit else ""
        lines.append(
            f"| {name} | {history} | {(days <= CREEP_DAYS).mean():.0%} | {median} | {low} to {high} | {until} |"
        )
    return [*lines, ""], passed


def _day(value: float) -> str:
    return f"{value:.0f}" if value <= CREEP_DAYS else f"after {CREEP_DAYS}"


def _power(count: int, power: NDArray[np.float64]) -> list[str]:
    title = (
        f"### Steps\n\nShare of {count} days on which a change is found on its first day, after {HISTORY} healthy days:"
        " by any test (by the means, by the distributions).\n"
    )
    lines = [
        title,
        "| change | rows | " + " | ".join(f"{rows:,} a day" for rows in ROWS_A_DAY) + " |",
        "| --- | --- |" + " --- |" * len(ROWS_A_DAY),
    ]
    for (where, scenario), shares in zip(STEPS, power, strict=True):
        cells = [f"{either:.0%} ({means:.0%}, {shapes:.0%})" for either, means, shapes in shares]
        lines.append(f"| {scenario.name} | {where} | {' | '.join(cells)} |")
    return [*lines, ""]


def _plot(delays: list[NDArray[np.float64]], power: NDArray[np.float64]) -> bytes:
    """Draw the share of creeps found by each day, and the power against a step of the ages and the fares."""
    image = Figure((12, 4), layout="constrained")
    creep, ages, fares = image.subplots(1, 3)
    styles = [(BLUE, "-"), (ORANGE, "-"), (ORANGE, "--"), (ORANGE, ":"), (ORANGE, "-."), (GREY, "-")]
    for (scenario, history, _), days, (colour, style) in zip(CREEPS, delays, styles, strict=True):
        found = [(days <= day).mean() for day in range(CREEP_DAYS + 1)]
        label = scenario.name if history else f"{scenario.name},\nfrom the first day on"
        creep.plot(range(CREEP_DAYS + 1), found, color=colour, linestyle=style, label=label)
    creep.set(xlabel="day of the creep", ylabel="share found", title=f"creeps, {ROWS} rows a day", ylim=(0, 1.02))
    creep.set_xticks(range(0, CREEP_DAYS + 1, 2))
    creep.legend(frameon=False, fontsize=7, loc="lower right")
    for axes, unit, steps, offset in (
        (ages, "years older", (1, 2, 5, 10), 0),
        (fares, "times the fare", (1.02, 1.1, 1.25, 1.5), 4),
    ):
        for (column, rows), colour in zip(enumerate(ROWS_A_DAY), (GREY, ORANGE, BLUE), strict=True):
            shares = power[offset : offset + len(steps), column]
            axes.plot(steps, shares[:, 1], "o-", color=colour, label=f"{rows:,} rows a day, means")
            axes.plot(steps, shares[:, 2], "x--", color=colour, label=f"{rows:,} rows a day, distributions")
        axes.set(xlabel=unit, ylabel="share found on the first day", title="a step in all rows", ylim=(-0.02, 1.02))
        axes.set_xticks(steps, [f"{step:g}" for step in steps])
    ages.legend(frameon=False, fontsize=7)
    for axes in (creep, ages, fares):
        axes.spines[["top", "right"]].set_visible(False)
    return png(image)


if __name__ == "__main__":
    sys.exit(main())
