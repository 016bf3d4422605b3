"""Requests for scheduled runs, and their answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from devstack.errors import StackError
from devstack.scheduled_runs import Answer, ScheduledRuns

DAY = date(2024, 2, 29)


@pytest.fixture
def runs(tmp_path: Path) -> ScheduledRuns:
    return ScheduledRuns(tmp_path)


def refuse(dag_id: str, day: date) -> str:
    raise StackError(f"{dag_id} has no run on {day}")


def break_down(dag_id: str, day: date) -> str:
    del dag_id, day
    raise RuntimeError("the database is away")


def test_each_request_is_answered_once(runs: ScheduledRuns) -> None:
    runs.serve(refuse)
    name = runs.request("shop", DAY)
    assert runs.answer(name) is None
    runs.serve(lambda dag_id, day: f"{dag_id} {day}")
    runs.serve(refuse)
    assert runs.answer(name) == Answer("shop 2024-02-29")


@pytest.mark.parametrize(
    ("create", "error"),
    [(refuse, "shop has no run on 2024-02-29"), (break_down, "RuntimeError: the database is away")],
)
def test_who_asks_is_told_why_there_is_no_run(
    runs: ScheduledRuns, create: Callable[[str, date], str], error: str
) -> None:
    name = runs.request("shop", DAY)
    runs.serve(create)
    assert runs.answer(name) == Answer(error=error)


def test_a_withdrawn_request_creates_no_run(runs: ScheduledRuns) -> None:
    runs.withdraw(runs.request("shop", DAY))
    runs.serve(refuse)
    name = runs.request("shop", DAY)
    runs.serve(refuse)
    runs.withdraw(name)
    assert runs.answer(name) is None
