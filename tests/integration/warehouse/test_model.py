"""Any sequence of loads, repeats, corrections, kills and overlaps leaves what a model says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, rule, run_state_machine_as_test

from tests.integration.warehouse.cases import CITIES
from tests.integration.warehouse.model import DAYS, POISON, Killed, Model, Step, Warehouse
from tests.integration.warehouse.planted import GUARDS, load_without

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.stateful import MultipleResults

    from include.core.warehouse.connect import Session

KILLED = st.sampled_from([*[None] * 12, "COPY", "log", "COMMIT", "reply"])
GOOD = st.tuples(*[st.sampled_from([1.0, 2.0, 1.0, 2.0, None])] * len(CITIES)).map(
    lambda values: tuple((city, value) for city, value in zip(CITIES, values, strict=True) if value)
)
BAD = [(("London", 1.0), ("London", 2.0)), (("Tokyo", 1.0), ("London", POISON)), (("Paris", 1.0),)]
ROWS = st.integers(0, 7).flatmap(lambda number: GOOD if number else st.sampled_from(BAD))
REJECTED = st.sampled_from([0, 0, 0, 1, 2])
STEPS = st.builds(
    Step,
    day=st.sampled_from(DAYS),
    run=st.sampled_from("ab"),
    try_number=st.integers(1, 3),
    rows=ROWS,
    rejected=REJECTED,
    expects=st.booleans(),
    replaces=st.sampled_from([True, True, False]),
    hour=st.sampled_from([None, None, None, 1, 2, 3]),
    killed=KILLED,
)
"""Most of them load something: each list repeats what is to be drawn more often."""
EACH_PUSH = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=20,
    stateful_step_count=10,
    suppress_health_check=list(HealthCheck),
)
WEEKLY = settings(EACH_PUSH, derandomize=False, max_examples=1000, stateful_step_count=30, print_blob=True)
UNSHRUNK = settings(EACH_PUSH, max_examples=200, phases=[Phase.generate], report_multiple_bugs=False)


class Loads(RuleBasedStateMachine):
    """Runs the same steps on a warehouse and on its model, and compares the two after each."""

    warehouse: Warehouse
    steps: Bundle[Step] = Bundle("steps")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.warehouse.clear()

    @rule(target=steps, step=STEPS)
    def load(self, step: Step) -> Step:
        return self.run(step)

    @rule(target=steps, step=steps, killed=KILLED)
    def repeat(self, step: Step, killed: Killed | None) -> Step:
        return self.run(replace(step, killed=killed))

    @rule(target=steps, step=steps, rows=ROWS, rejected=REJECTED)
    def correct(self, step: Step, rows: tuple[tuple[str, float], ...], rejected: int) -> Step:
        tried = replace(step, try_number=step.try_number + 1)
        return self.run(replace(tried, rows=rows, rejected=rejected, killed=None))

    @rule(target=steps, first=STEPS | steps, second=STEPS | steps)
    def overlap(self, first: Step, second: Step) -> MultipleResults[Step]:
        second = replace(second, day=first.day)
        self.run(first, second)
        return multiple(first, second)

    def run(self, *steps: Step) -> Step:
        assert self.warehouse.run(*steps) == [self.model.run(step) for step in steps]
        assert self.warehouse.state() == self.model.state
        assert self.warehouse.has_logged_digests()
        return steps[0]


@pytest.fixture
def loads(session: Session, warehouse: str) -> type[Loads]:
    return type("LoadsOfThisTest", (Loads,), {"warehouse": Warehouse(session, warehouse)})


@pytest.mark.parametrize("profile", [EACH_PUSH, pytest.param(WEEKLY, marks=pytest.mark.weekly)], ids=["push", "weekly"])
def test_loads_leave_what_the_model_says(loads: type[Loads], profile: settings) -> None:
    run_state_machine_as_test(loads, settings=profile)


@pytest.mark.weekly
@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_they_do_not(
    loads: type[Loads], guard: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loads.warehouse.load = load_without(guard, monkeypatch, tmp_path)
    with pytest.raises((AssertionError, Flaky)):
        run_state_machine_as_test(loads, settings=UNSHRUNK)
