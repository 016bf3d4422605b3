"""Goals, what is stored, and the page that is made of it."""

from __future__ import annotations

import json

import pytest

from benchmarks import page
from benchmarks.comparison import Comparison, Goal, Role, Series, take_turns

OURS = Series(Role.OURS, "", [1.0, 2.0, 9.0])
BASELINE = Series(Role.BASELINE, "by hand", [8.0])
LIMIT = Series(Role.LIMIT, "", [1.0])


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (None, True),
        (Goal(at_most=2), True),
        (Goal(at_most=1.9), False),
        (Goal(at_least=2), True),
        (Goal(at_least=2.1), False),
        (Goal(at_most=2, of=Role.LIMIT), True),
        (Goal(at_most=1.9, of=Role.LIMIT), False),
        (Goal(at_most=0.25, of=Role.BASELINE), True),
        (Goal(at_most=0.2, of=Role.BASELINE), False),
    ],
)
def test_a_goal_is_met_by_the_median(goal: Goal | None, met: bool) -> None:
    assert Comparison("x", "s", (OURS, BASELINE, LIMIT), goal).is_met is met


def test_a_goal_of_a_series_that_was_not_measured_is_missed() -> None:
    assert not Comparison("x", "s", (OURS,), Goal(at_most=9, of=Role.LIMIT)).is_met


@pytest.mark.parametrize("goal", [None, Goal(at_most=2, of=Role.LIMIT)])
def test_a_comparison_is_read_as_it_was_stored(goal: Goal | None) -> None:
    comparison = Comparison("x", "s", (OURS, BASELINE), goal, "because")
    assert Comparison.from_dict(json.loads(json.dumps(comparison.to_dict()))) == comparison


def test_variants_take_turns() -> None:
    calls: list[str] = []

    def variant(name: str, value: float) -> float:
        calls.append(name)
        return value

    values = take_turns(2, lambda: variant("a", 1), lambda: variant("b", 2))
    assert (values, calls) == ([[1, 1], [2, 2]], ["a", "b", "a", "b"])


def test_the_page_is_made_of_the_stored_results() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.text(page.last_results())


def test_every_missed_goal_is_explained() -> None:
    missed = [item for result in page.last_results() for item in result.comparisons if not item.is_met]
    assert [item.what for item in missed if not item.why] == []
