"""The embedded stack's DAG processor: parses files when asked to, and notes what came of each parse."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager
from typing_extensions import override

from devstack.parses import Outcome, Parses
from devstack.state import State

BRISK_SECONDS = 0.1
HOLD_SECONDS, LINGER_SECONDS = 30.0, 3.0


class DagProcessor(DagFileProcessorManager):
    """Airflow's manager of parsing processes, which also takes requests from files and polls fast while it is awaited.

    It finds out about changed DAG files by itself; everything else that DAG files read is watched by the keeper. After
    its start, files that nobody has asked for are held back while a command waits, which needs the cores for its run.
    """

    _wanted: ClassVar[set[str]] = set()
    _held_until = 0.0

    @override
    def run(self) -> None:
        self._held_until = time.monotonic() + HOLD_SECONDS
        super().run()

    @override
    def claim_priority_files(self) -> list[DagFileInfo]:
        """Take the requests, but for files that are just being parsed: what they read may be old."""
        [bundle] = self._dag_bundles
        busy = {str(file.rel_path) for file in self._processors}
        free = [file for file in _parses().requested() if file not in busy]
        self._wanted.update(free)
        for file in free:
            _parses().begin(file)
        wanted = [DagFileInfo(Path(file), bundle_name=bundle.name, bundle_path=bundle.path) for file in free]
        return [*super().claim_priority_files(), *wanted]

    @override
    def _start_new_processes(self) -> None:
        held = []
        if time.monotonic() < self._held_until and State.current().is_awaited():
            held = [file for file in self._file_queue if not self._is_wanted(file)]
        for file in held:
            del self._file_queue[file]
        super()._start_new_processes()
        self._file_queue.update(dict.fromkeys(held))

    def _is_wanted(self, file: DagFileInfo) -> bool:
        return str(file.rel_path) in self._wanted or file in self._callback_to_execute

    @override
    def handle_parsing_result(self, file: DagFileInfo, proc: Any, **arguments: Any) -> None:
        super().handle_parsing_result(file, proc, **arguments)
        result = proc.parsing_result
        if result is None and proc.had_callbacks:
            return
        began = time.time() - (time.monotonic() - proc.start_time)
        if result is None:
            outcome = Outcome(began, [], "the file ended its process while it was parsed")
        else:
            errors = (result.import_errors or {}).values()
            outcome = Outcome(began, [dag.dag_id for dag in result.serialized_dags], "\n".join(errors))
        name = str(file.rel_path)
        if name in self._wanted:
            self._wanted.remove(name)
            self._held_until = min(self._held_until, time.monotonic() + LINGER_SECONDS)
        _parses().note(name, outcome)

    @override
    def _service_processor_sockets(self, timeout: float | None = 1.0) -> None:
        brisk = State.current().is_awaited()
        super()._service_processor_sockets(min(timeout or 0.0, BRISK_SECONDS) if brisk else timeout)


def _parses() -> Parses:
    return State.current().parses
