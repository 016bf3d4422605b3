"""The embedded stack's scheduler and DAG processor: their polling, and the outcome of a parse."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import OrderedDict
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

from devstack import airflow_daemons, dag_processor, scheduler
from devstack.dag_processor import DagProcessor
from devstack.process import Record
from devstack.scheduler import FAST_POLL_SECONDS, IDLE_POLL_SECONDS, LONGEST_POLL_SECONDS, Scheduler
from devstack.state import STATE_VARIABLE, State


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    return State.open()


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A processor of one bundle that is parsing ``busy.py``."""
    monkeypatch.setattr(DagFileProcessorManager, "claim_priority_files", lambda _: [])
    monkeypatch.setattr(DagFileProcessorManager, "handle_parsing_result", lambda *_, **__: None)
    instance: Any = object.__new__(DagProcessor)
    instance._dag_bundles = [SimpleNamespace(name="dags-folder", path=Path("/dags"))]
    instance._processors = {DagFileInfo(Path("busy.py"), bundle_name="dags-folder"): None}
    return instance


def test_a_request_for_a_file_waits_for_the_end_of_its_current_parse(state: State, processor: Any) -> None:
    state.parses.request(["busy.py", "free.py"])
    assert [str(file.rel_path) for file in processor.claim_priority_files()] == ["free.py"]
    assert processor.claim_priority_files() == []
    processor._processors.clear()
    assert [str(file.rel_path) for file in processor.claim_priority_files()] == ["busy.py"]
    assert state.parses.requested() == []


def test_unrequested_files_are_held_back_after_the_start(
    state: State, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def start_processes(self: Any) -> None:
        while self._file_queue:
            started.append(str(self._file_queue.popitem(last=False)[0].rel_path))

    monkeypatch.setattr(DagFileProcessorManager, "_start_new_processes", start_processes)
    files = {name: DagFileInfo(Path(name), bundle_name="dags-folder") for name in ("asked.py", "called.py", "other.py")}
    processor._file_queue = OrderedDict.fromkeys(files.values())
    processor._callback_to_execute = {files["called.py"]: ["a run has ended"]}
    processor._held_until = time.monotonic() + 1000
    state.note_waiting()
    state.parses.request(["asked.py"])
    processor.claim_priority_files()
    processor._start_new_processes()
    assert started == ["asked.py", "called.py"]
    assert list(processor._file_queue) == [files["other.py"]]
    processor._held_until = 0.0
    processor._start_new_processes()
    assert started == ["asked.py", "called.py", "other.py"]


def outcome_of(processor: Any, state: State, result: Any, *, had_callbacks: bool = False) -> Any:
    since = state.parses.request([])
    parse = SimpleNamespace(parsing_result=result, had_callbacks=had_callbacks, start_time=time.monotonic())
    processor.handle_parsing_result(DagFileInfo(Path("spell.py"), bundle_name="dags-folder"), parse)
    return state.parses.outcome("spell.py", since)


def test_the_outcome_of_a_parse_has_its_dags_or_its_error(state: State, processor: Any) -> None:
    parsed = SimpleNamespace(import_errors=None, serialized_dags=[SimpleNamespace(dag_id="spell")])
    result = outcome_of(processor, state, parsed)
    assert (result.dag_ids, result.error) == (["spell"], "")
    broken = SimpleNamespace(import_errors={"spell.py": "NameError"}, serialized_dags=[])
    assert outcome_of(processor, state, broken).error == "NameError"
    assert "terminated its process" in outcome_of(processor, state, None).error


def test_a_pause_between_two_readings_of_the_clock_makes_no_parse_look_too_old(
    state: State, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = count()
    clock = SimpleNamespace(time=lambda: time.time() + next(pauses), monotonic=lambda: time.monotonic() + next(pauses))
    monkeypatch.setattr(dag_processor, "time", clock)
    assert outcome_of(processor, state, None) is not None


def test_a_callback_does_not_count_as_a_parse(state: State, processor: Any) -> None:
    assert outcome_of(processor, state, None, had_callbacks=True) is None


def test_the_scheduler_polls_fast_while_something_runs_or_is_awaited(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(monotonic=lambda: now))
    executor = SimpleNamespace(running=set(), queued_tasks={})
    runner: Any = object.__new__(Scheduler)
    runner.executors = [executor]
    runner._scheduler_idle_sleep_time = 7
    assert runner._scheduler_idle_sleep_time == IDLE_POLL_SECONDS
    executor.running.add("task")
    assert runner._scheduler_idle_sleep_time == FAST_POLL_SECONDS
    executor.running.clear()
    now = runner._woke_at = now + 1
    assert runner._scheduler_idle_sleep_time == FAST_POLL_SECONDS, "the next task of a run follows soon"
    now = runner._woke_at = now + 2
    assert runner._scheduler_idle_sleep_time == IDLE_POLL_SECONDS
    state.note_waiting()
    assert runner._scheduler_idle_sleep_time == FAST_POLL_SECONDS
    now = runner._woke_at + 0.2
    assert runner._scheduler_idle_sleep_time == pytest.approx(0.4), "twice the time that the loop took"
    now = runner._woke_at + 60
    assert runner._scheduler_idle_sleep_time == LONGEST_POLL_SECONDS


def test_no_task_starts_before_this_stacks_api_server_listens(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    enqueued = count(1)
    monkeypatch.setattr(SchedulerJobRunner, "_critical_section_enqueue_task_instances", lambda *_: next(enqueued))
    runner: Any = object.__new__(Scheduler)
    with socket.create_server(("127.0.0.1", state.port("api"))):  # of another program
        assert runner._critical_section_enqueue_task_instances(None) == 0
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        Record.of(other.pid, "").write(state.airflow_home / "api-server.json")
        assert runner._critical_section_enqueue_task_instances(None) == 0
        other.communicate()
        Record.of(os.getpid(), "").write(state.airflow_home / "api-server.json")
        assert runner._critical_section_enqueue_task_instances(None) == 1
    assert runner._critical_section_enqueue_task_instances(None) == 2, "it is asked once"


STUBBORN = """
import os, signal, sys
received = []
signal.signal(signal.SIGTERM, lambda *_: received.append(1) or (len(received) > int(sys.argv[1]) and os._exit(0)))
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize(("ignored", "attempts", "status"), [(1, 10_000, 0), (10_000, 3, -signal.SIGKILL)])
def test_a_component_that_misses_the_signal_is_signalled_again(
    monkeypatch: pytest.MonkeyPatch, ignored: int, attempts: int, status: int
) -> None:
    monkeypatch.setattr(airflow_daemons, "SIGNAL_SECONDS", 0.05)
    monkeypatch.setattr(airflow_daemons, "SIGNAL_ATTEMPTS", attempts)
    component = subprocess.Popen([sys.executable, "-c", STUBBORN, str(ignored)], stdout=subprocess.PIPE, text=True)
    assert component.stdout
    component.stdout.readline()
    other = subprocess.Popen([sys.executable, "-c", ""])
    statuses = []
    wait = os.waitpid

    def waitpid(process: int, options: int) -> tuple[int, int]:
        ended, status = wait(process, options)
        statuses.extend([status] if ended else [])
        return ended, status

    monkeypatch.setattr(os, "waitpid", waitpid)
    airflow_daemons._stop({component.pid: "scheduler"})
    component.stdout.close()
    component.returncode = 0  # waited for above
    assert [os.waitstatus_to_exitcode(ended) for ended in statuses] == [status]
    monkeypatch.undo()
    assert os.waitpid(other.pid, 0)[0] == other.pid, "children that aren't components are left alone"
    other.returncode = 0


@pytest.mark.parametrize(
    ("code", "status", "text"), [("no such file", 1, "no such file\n"), (None, 0, ""), (3, 3, "")], ids=str
)
def test_a_command_ends_with_its_status_and_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: object, status: int, text: str
) -> None:
    def main() -> None:
        raise SystemExit(code)

    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(main=main))
    log = tmp_path / "log"
    child = airflow_daemons._fork("pools", log=log)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status
    assert log.read_text() == text
