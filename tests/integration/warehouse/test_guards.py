"""Every guard of the load is needed: each scenario succeeds with it and fails without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.core.warehouse import guards, loader, publish, quarantine
from tests.integration.warehouse import scenarios
from tests.integration.warehouse.cases import CITIES
from tests.integration.warehouse.mutation import mutate
from tests.integration.warehouse.scenarios import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    Scenario = Callable[[str, scenarios.Load], Outcome]

GOOD: dict[Scenario, Outcome] = {
    scenarios.repeated: Outcome({"Tokyo": 20.5}, quarantined=1),
    scenarios.outlived: Outcome(dict.fromkeys(CITIES, 2), error="StaleAttemptError"),
    scenarios.poisoned: Outcome(dict.fromkeys(CITIES, 5), error="AuditError"),
    scenarios.withdrawn: Outcome({"London": 20.5}),
    scenarios.incomplete: Outcome(dict.fromkeys(CITIES, 20.5)),
    scenarios.overlapped: Outcome({"Tokyo": 20.5}),
}

LOCK = (guards, "SELECT pg_advisory_xact_lock(hashtextextended(%s || chr(31) || %s, 0))", "SELECT %s || chr(31) || %s")
FENCE = (guards, "WHERE (fence.run_started, fence.try_number) <= (excluded.run_started, excluded.try_number)", "")
BEFORE = "before = content(session, dataset, dataset.name, "
MERGE = (publish, f"{BEFORE}condition)", f"{BEFORE}sql.SQL('false'))")
AUDIT = (loader, "audit(session, dataset, label, rows_in, expected, expected_rows)", "pass")
REMOVAL = (loader, "label, removes=complete and replace", "label, removes=False")
COMPLETENESS = (loader, "label, removes=complete and replace", "label, removes=replace")
QUARANTINE_ONCE = (quarantine, "DELETE FROM quarantine", "SELECT FROM quarantine")

WITHOUT: dict[str, tuple[tuple[ModuleType, str, str], Scenario, Outcome]] = {
    "lock": (LOCK, scenarios.overlapped, Outcome({"London": 20.5, "Tokyo": 20.5})),
    "fence": (FENCE, scenarios.outlived, Outcome(dict.fromkeys(CITIES, 1))),
    "merge": (MERGE, scenarios.repeated, Outcome({"Tokyo": 20.5}, quarantined=1, error="LoadError")),
    "audit": (AUDIT, scenarios.poisoned, Outcome(dict.fromkeys(CITIES, -400))),
    "removal": (REMOVAL, scenarios.withdrawn, Outcome({"London": 20.5, "Paris": 20.5})),
    "completeness": (COMPLETENESS, scenarios.incomplete, Outcome({"Tokyo": 20.5})),
    "quarantine once": (QUARANTINE_ONCE, scenarios.repeated, Outcome({"Tokyo": 20.5}, quarantined=2)),
}


@pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.__name__)
def test_the_published_rows_are_correct(warehouse: str, scenario: Scenario) -> None:
    assert scenario(warehouse, loader.load) == GOOD[scenario]


@pytest.mark.parametrize("guard", WITHOUT)
def test_without_the_guard_they_are_wrong(
    warehouse: str, guard: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (module, text, replacement), scenario, bad = WITHOUT[guard]
    mutant = mutate(module, text, replacement, tmp_path)
    load = loader.load
    if module is loader:
        load = mutant.load
    elif module is guards:
        monkeypatch.setattr(guards, "lock", mutant.lock)
        monkeypatch.setattr(guards, "fence", mutant.fence)
    elif module is publish:
        monkeypatch.setattr(loader, "publish", mutant.publish)
    else:
        monkeypatch.setattr(loader, "quarantine", mutant.quarantine)
    assert scenario(warehouse, load) == bad
    assert bad != GOOD[scenario]
