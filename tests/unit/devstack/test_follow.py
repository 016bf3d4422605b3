"""The progress of a run as ``make run`` prints it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from devstack.follow import _print_changes

AIRFLOW: Any = SimpleNamespace(log=lambda instance: ["started", f"ValueError: no {instance['try_number']}"])


def instance(state: str, try_number: int) -> dict[str, Any]:
    return {
        "dag_run_id": "manual",
        "task_id": "load",
        "map_index": -1,
        "start_date": "2026-01-01T00:00:00Z",
        "state": state,
        "try_number": try_number,
    }


@pytest.mark.parametrize(
    ("polled", "printed"),
    [
        (
            [("running", 1), ("up_for_retry", 1), ("running", 2)],
            ["running (try 1)", "up_for_retry (try 1)  ValueError: no 1", "running (try 2)"],
        ),
        (
            [("running", 1), ("running", 3)],
            [
                "running (try 1)",
                "up_for_retry (try 1)  ValueError: no 1",
                "up_for_retry (try 2)  ValueError: no 2",
                "running (try 3)",
            ],
        ),
        ([("success", 2)], ["up_for_retry (try 1)  ValueError: no 1", "success (try 2)"]),
        (
            [("failed", 1), ("running", 2)],
            ["failed (try 1)  ValueError: no 1", "running (try 2)"],
        ),
    ],
)
def test_every_failed_try_is_shown_even_if_it_ended_between_two_polls(
    polled: list[tuple[str, int]], printed: list[str]
) -> None:
    console = Console(width=100)
    seen: dict[Any, Any] = {}
    with console.capture() as output:
        for state, try_number in polled:
            _print_changes(console, AIRFLOW, [instance(state, try_number)], seen)
    assert output.get().splitlines() == [f"  load {line}" for line in printed]
