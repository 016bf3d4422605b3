"""Every guard of the load is needed: each scenario succeeds with it and fails without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.core.warehouse import loader
from tests.integration.warehouse import scenarios
from tests.integration.warehouse.cases import CITIES
from tests.integration.warehouse.planted import load_without
from tests.integration.warehouse.scenarios import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Scenario = Callable[[str, scenarios.Load], Outcome]

GOOD: dict[Scenario, Outcome] = {
    scenarios.repeated: Outcome({"Tokyo": 20.5}, quarantined=1),
    scenarios.outlived: Outcome(dict.fromkeys(CITIES, 2), error="StaleAttemptError"),
    scenarios.poisoned: Outcome(dict.fromkeys(CITIES, 5), error="AuditError"),
    scenarios.withdrawn: Outcome({"London": 20.5}),
    scenarios.incomplete: Outcome(dict.fromkeys(CITIES, 20.5)),
    scenarios.overlapped: Outcome({"Tokyo": 20.5}),
}

WITHOUT: dict[str, tuple[Scenario, Outcome]] = {
    "lock": (scenarios.overlapped, Outcome({"London": 20.5, "Tokyo": 20.5})),
    "fence": (scenarios.outlived, Outcome(dict.fromkeys(CITIES, 1))),
    "merge": (scenarios.repeated, Outcome({"Tokyo": 20.5}, quarantined=1, error="LoadError")),
    "audit": (scenarios.poisoned, Outcome(dict.fromkeys(CITIES, -400))),
    "removal": (scenarios.withdrawn, Outcome({"London": 20.5, "Paris": 20.5})),
    "completeness": (scenarios.incomplete, Outcome({"Tokyo": 20.5})),
    "quarantine once": (scenarios.repeated, Outcome({"Tokyo": 20.5}, quarantined=2)),
}


@pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.__name__)
def test_the_published_rows_are_correct(warehouse: str, scenario: Scenario) -> None:
    assert scenario(warehouse, loader.load) == GOOD[scenario]


@pytest.mark.parametrize("guard", WITHOUT)
def test_without_the_guard_they_are_wrong(
    warehouse: str, guard: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scenario, bad = WITHOUT[guard]
    assert scenario(warehouse, load_without(guard, monkeypatch, tmp_path)) == bad
    assert bad != GOOD[scenario]
