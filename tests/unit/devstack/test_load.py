"""A DAG is found however parses and requests interleave, and each outcome is reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devstack.errors import StackError
from devstack.load import load
from devstack.parses import Outcome, Parses
from devstack.process import Record
from devstack.stack import Stack
from devstack.state import State


@dataclass
class Airflow:
    """Knows the DAGs that a parse has stored; each request can happen between two steps of the DAG processor."""

    stored: dict[str, str]
    between: Callable[[], None] = lambda: None
    requested: list[str] = field(default_factory=list)

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        self.requested.append(dag_id)
        file = self.stored.get(dag_id)
        self.between()
        return {"dag_id": dag_id, "relative_fileloc": file} if file else None

    def dag_ids(self) -> list[str]:
        return list(self.stored)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(Stack, "dags", tmp_path / "dags")
    (tmp_path / "dags").mkdir()
    return Stack(State.open(tmp_path / "state"))


@pytest.fixture
def parses(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Parses:
    """The DAG processor's files; the stack sees a running Airflow."""
    monkeypatch.setattr(Stack, "require_running", lambda *_: None)
    Record(1, 0, "").write(stack.state.airflow_home / "dag-processor.json")
    return stack.state.parses


def set_outcomes(monkeypatch: pytest.MonkeyPatch, parses: Parses, outcomes: dict[str, Outcome]) -> None:
    """Answer each request with ``outcomes``, whose times are relative to the request."""
    request = parses.request

    def record_outcomes(self: Parses, files: Any) -> float:
        names = list(files)
        since = request(names)
        for name in names:
            outcome = outcomes[name]
            self.record(name, Outcome(since + outcome.started_at, outcome.dag_ids, outcome.error))
        return since

    monkeypatch.setattr(Parses, "request", record_outcomes)


def test_a_dag_that_is_stored_between_two_requests_is_found(stack: Stack, parses: Parses) -> None:
    """The parse ends right after Airflow was queried for the DAG, and before its outcome is read."""
    (stack.dags / "spell.py").write_text("")
    airflow = Airflow({})

    def finish_the_parse() -> None:
        airflow.stored["spell"] = "spell.py"
        parses.record("spell.py", Outcome(time.time() + 1, ["spell"], ""))

    airflow.between = finish_the_parse
    assert load(airflow, "spell", stack)["relative_fileloc"] == "spell.py"  # type: ignore[arg-type]


def test_a_parse_that_began_before_the_request_does_not_count(parses: Parses) -> None:
    parses.record("spell.py", Outcome(time.time() - 1, ["spell"], ""))
    since = parses.request(["spell.py"])
    assert parses.outcome("spell.py", since) is None
    parses.record("spell.py", Outcome(since + 1, [], "now broken"))
    outcome = parses.outcome("spell.py", since)
    assert outcome
    assert outcome.error == "now broken"


def test_a_request_is_kept_until_it_is_processed(parses: Parses) -> None:
    parses.request(["a.py", "folder/b ü.py"])
    assert sorted(parses.requested()) == ["a.py", "folder/b ü.py"]
    parses.begin("a.py")
    assert parses.requested() == ["folder/b ü.py"]


def test_the_error_of_the_file_named_like_the_dag_comes_first(
    stack: Stack, parses: Parses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("a_broken.py", "'spell'"), ("spell.py", ""), ("other.py", "")):
        (stack.dags / name).write_text(text)
    broken = "Traceback\nNameError: in {}"
    outcomes = {name: Outcome(1, [], broken.format(name)) for name in ("a_broken.py", "spell.py")}
    set_outcomes(monkeypatch, parses, outcomes)
    with pytest.raises(StackError) as caught:
        load(Airflow({}), "spell", stack)  # type: ignore[arg-type]
    assert str(caught.value).splitlines() == [
        "dags/spell.py failed to load:",
        "Traceback",
        "NameError: in spell.py",
        "dags/a_broken.py: failed to load too",
    ]


def test_a_dag_that_moved_to_another_file_is_found(
    stack: Stack, parses: Parses, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stack.dags / "old.py").write_text("")
    (stack.dags / "spell.py").write_text("")
    set_outcomes(monkeypatch, parses, {"old.py": Outcome(1, [], ""), "spell.py": Outcome(1, ["spell"], "")})
    airflow = Airflow({"spell": "old.py"})
    assert load(airflow, "spell", stack)["dag_id"] == "spell"  # type: ignore[arg-type]


@pytest.mark.usefixtures("parses")
def test_an_unknown_dag_lists_similar_names(stack: Stack) -> None:
    airflow: Any = Airflow({"weather_data_pipeline": "w.py", "my_first_spell": "m.py"})
    with pytest.raises(StackError, match=r"DAG 'wether_pipeline' does not exist; did you mean weather_data_pipeline\?"):
        load(airflow, "wether_pipeline", stack)
    with pytest.raises(
        StackError, match=r"DAG 'zzz' does not exist; known DAGs: my_first_spell, weather_data_pipeline"
    ):
        load(airflow, "zzz", stack)
