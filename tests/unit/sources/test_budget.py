"""The budget of a connection is the strictest that one of its sources states."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.core.sources.budget import calls_per_minute
from tests.unit.sources.conftest import GOOD

STATED = "limits: {calls_per_minute: %s,"


@pytest.mark.parametrize(
    ("stated", "budget"), [((), None), ((600,), 600), ((600, 30), 30), ((30, 600), 30)], ids=["none", "one", "two", "2"]
)
def test_the_strictest_budget_holds(folder: Path, stated: tuple[int, ...], budget: int | None) -> None:
    for number, calls in enumerate(stated):
        text = GOOD.replace("name: orders", f"name: other{number}").replace("limits: {", STATED % calls)
        (folder / f"other{number}.yaml").write_text(text)
    elsewhere = GOOD.replace("name: orders", "name: apart").replace("sources_default", "apart_default")
    (folder / "apart.yaml").write_text(elsewhere.replace("limits: {", STATED % 1))
    (folder / "invalid.yaml").write_text("name: invalid\nlimits: {calls_per_minute: 1}\n")
    assert calls_per_minute(folder, "sources_default") == budget
