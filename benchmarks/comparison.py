"""What a benchmark measures: this repository beside what a user would pick instead, and beside what the machine can do.

A benchmark is a module of this package with a function ``compare(repeats) -> list[Comparison]``; its docstring is the
text of its section in ``docs/performance.md``. Variants take turns, so that a change of the machine's load meets all of
them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Role(StrEnum):
    """What a series stands for."""

    OURS = "ours"
    BASELINE = "baseline"
    LIMIT = "limit"


@dataclass(frozen=True)
class Series:
    """The measured values of one variant; ``name`` says what was run."""

    role: Role
    name: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Goal:
    """What the median of ours must be: within bounds, or within bounds times the median of another series.

    Attributes:
        at_most: upper bound, or factor.
        at_least: lower bound, or factor.
        of: the series that the bounds are factors of; ``None``: they are values.
    """

    at_most: float | None = None
    at_least: float | None = None
    of: Role | None = None


@dataclass(frozen=True)
class Comparison:
    """A row of the table.

    Attributes:
        what: what was measured.
        unit: unit of the values, such as ``s``.
        series: one of ours; at most one baseline and one limit.
        goal: what ours must be; ``None`` if it is only shown.
        why: what explains the goal if it is missed; without a goal, what isn't comparable.
    """

    what: str
    unit: str
    series: tuple[Series, ...]
    goal: Goal | None = None
    why: str = ""

    def of(self, role: Role) -> Series | None:
        """Return the series of a role, if there is one."""
        return next((series for series in self.series if series.role is role), None)

    @property
    def ours(self) -> Series:
        """The series of this repository."""
        return next(series for series in self.series if series.role is Role.OURS)

    def ratio(self, role: Role) -> float | None:
        """Return the median of ours divided by that of another series; ``None`` without one."""
        other = self.of(role)
        return self.ours.median / other.median if other and other.median else None

    @property
    def is_met(self) -> bool:
        """Whether the goal is met; true without one."""
        if self.goal is None:
            return True
        value = self.ours.median if self.goal.of is None else self.ratio(self.goal.of)
        if value is None:
            return False
        above = self.goal.at_least is None or value >= self.goal.at_least
        return above and (self.goal.at_most is None or value <= self.goal.at_most)

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` reads."""
        goal = self.goal and {"at_most": self.goal.at_most, "at_least": self.goal.at_least, "of": self.goal.of}
        return {
            "what": self.what,
            "unit": self.unit,
            "goal": goal,
            "why": self.why,
            "series": [
                {"role": item.role, "name": item.name, "values": [round(value, 6) for value in item.values]}
                for item in self.series
            ],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the comparison that :meth:`to_dict` wrote."""
        goal = content["goal"]
        return cls(
            content["what"],
            content["unit"],
            tuple(Series(Role(item["role"]), item["name"], item["values"]) for item in content["series"]),
            goal and Goal(goal["at_most"], goal["at_least"], goal["of"] and Role(goal["of"])),
            content["why"],
        )


def take_turns(repeats: int, *variants: Callable[[], float]) -> list[list[float]]:
    """Call the variants in turn, ``repeats`` times each; return the values of each."""
    values: list[list[float]] = [[] for _ in variants]
    for _ in range(repeats):
        for variant, measured in zip(variants, values, strict=True):
            measured.append(variant())
    return values
