"""``make run``: tracebacks of DAG files, periods, and the services that a DAG needs."""

from __future__ import annotations

import importlib.util
import traceback
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from devstack import load, run
from devstack.environment import Upstream
from devstack.errors import StackError
from devstack.trigger import Kind, check_period

FIRST, LAST = date(2024, 6, 1), date(2024, 6, 3)


def test_a_traceback_keeps_the_repositorys_own_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "REPOSITORY", tmp_path)
    folder = tmp_path / "dags"
    folder.mkdir()
    library = tmp_path / ".venv" / "site-packages"
    library.mkdir(parents=True)
    (folder / "broken.py").write_text("def dag(call):\n    call(lambda: 1 / 0)\n")
    (library / "foreign.py").write_text("def call(it):\n    it()\n")
    try:
        imported(folder / "broken.py").dag(imported(library / "foreign.py").call)
    except ZeroDivisionError:
        frames = load.own_frames(traceback.format_exc(), folder)
    assert [line.strip() for line in frames.splitlines() if not set(line) <= set(" ~^")] == [
        "Traceback (most recent call last):",
        'File "dags/broken.py", line 2, in dag',
        "call(lambda: 1 / 0)",
        'File "dags/broken.py", line 2, in <lambda>',
        "call(lambda: 1 / 0)",
        "ZeroDivisionError: division by zero",
    ]


def imported(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.BACKFILL])
def test_only_a_backfill_creates_several_runs(kind: Kind) -> None:
    check_period(kind, FIRST, FIRST)
    check_period(kind, None, None)
    with pytest.raises(StackError, match=f"TO=2024-06-03 needs AS=backfill; AS={kind} creates a single run"):
        check_period(kind, FIRST, LAST)


def test_a_backfill_needs_a_first_day_before_the_last() -> None:
    check_period(Kind.BACKFILL, FIRST, LAST)
    with pytest.raises(StackError, match="TO=2024-06-01 is before DATE=2024-06-03"):
        check_period(Kind.BACKFILL, LAST, FIRST)
    with pytest.raises(StackError, match="TO=2024-06-03 needs a DATE"):
        check_period(Kind.BACKFILL, None, LAST)


@pytest.mark.parametrize(("source", "upstream", "services"), [
    ("Hook('weather_default'); Hook('aws_default')", Upstream.LIVE, {"postgres", "s3"}),
    ("Hook('weather_default')", Upstream.REPLAY, {"postgres", "upstreams"}),
    ("Hook('sources_default')", Upstream.LIVE, {"postgres", "upstreams"}),
    ("Hook('mlflow_default')", Upstream.LIVE, {"postgres", "mlflow"}),
    ("print()", Upstream.LIVE, {"postgres"}),
])  # fmt: skip
def test_a_dag_needs_the_services_behind_its_connections(source: str, upstream: Upstream, services: set[str]) -> None:
    assert run._services_of(source, upstream) == services


def test_the_dags_that_a_dag_triggers_are_found() -> None:
    source = "Trigger(trigger_dag_id='b')\nTrigger(\n    trigger_dag_id=\"a.c\",\n)\nTrigger(trigger_dag_id='b')"
    assert run.triggered(source) == ["a.c", "b"]
    assert run.triggered("trigger_dag_id=ETL") == []
