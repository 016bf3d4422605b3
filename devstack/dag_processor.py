"""The embedded stack's DAG processor: parses files on request, and records the outcome of each parse."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager
from typing_extensions import override

from devstack.parses import Outcome, Parses
from devstack.state import State

FAST_POLL_SECONDS = 0.1
HOLD_SECONDS, LINGER_SECONDS = 30.0, 3.0


class DagProcessor(DagFileProcessorManager):
    """Airflow's manager of parsing processes, which also accepts requests from files and polls fast while awaited.

    It detects changed DAG files by itself; the keeper watches everything else that DAG files read. After its start,
    files that were not requested are held back while a command waits, which needs the cores for its run.
    """

    _requested: ClassVar[set[str]] = set()
    _held_until = 0.0

    @override
    def run(self) -> None:
        self._held_until = time.monotonic() + HOLD_SECONDS
        super().run()

    @override
    def claim_priority_files(self) -> list[DagFileInfo]:
        """Take the requests, except for files that are being parsed now, which may have read old content."""
        [bundle] = self._dag_bundles
        busy = {str(file.rel_path) for file in self._processors}
        free = [file for file in _parses().requested() if file not in busy]
        self._requested.update(free)
        for file in free:
            _parses().begin(file)
        requested = [DagFileInfo(Path(file), bundle_name=bundle.name, bundle_path=bundle.path) for file in free]
        return [*super().claim_priority_files(), *requested]

    @override
    def _start_new_processes(self) -> None:
        held = []
        if time.monotonic() < self._held_until and State.current().is_awaited():
            held = [file for file in self._file_queue if not self._is_requested(file)]
        for file in held:
            del self._file_queue[file]
        super()._start_new_processes()
        self._file_queue.update(dict.fromkeys(held))

    def _is_requested(self, file: DagFileInfo) -> bool:
        return str(file.rel_path) in self._requested or file in self._callback_to_execute

    @override
    def handle_parsing_result(self, file: DagFileInfo, proc: Any, **arguments: Any) -> None:
        super().handle_parsing_result(file, proc, **arguments)
        result = proc.parsing_result
        if result is None and proc.had_callbacks:
            return
        seconds = time.monotonic() - proc.start_time  # read first: a pause in between must not make the start too early
        started_at = time.time() - seconds
        if result is None:
            outcome = Outcome(started_at, [], "the file terminated its process while it was being parsed")
        else:
            errors = (result.import_errors or {}).values()
            outcome = Outcome(started_at, [dag.dag_id for dag in result.serialized_dags], "\n".join(errors))
        name = str(file.rel_path)
        if name in self._requested:
            self._requested.remove(name)
            self._held_until = min(self._held_until, time.monotonic() + LINGER_SECONDS)
        _parses().record(name, outcome)

    @override
    def _service_processor_sockets(self, timeout: float | None = 1.0) -> None:
        awaited = State.current().is_awaited()
        super()._service_processor_sockets(min(timeout or 0.0, FAST_POLL_SECONDS) if awaited else timeout)


def _parses() -> Parses:
    return State.current().parses
