"""The embedded stack's DAG processor: parses files when asked to, and notes what came of each parse."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager
from typing_extensions import override

from devstack.parses import Outcome, Parses
from devstack.state import State

BRISK_SECONDS = 0.1


class DagProcessor(DagFileProcessorManager):
    """Airflow's manager of parsing processes, which also takes requests from files and polls fast while it is awaited.

    It finds out about changed DAG files by itself; everything else that DAG files read is watched by the keeper.
    """

    @override
    def claim_priority_files(self) -> list[DagFileInfo]:
        """Take the requests, but for files that are just being parsed: what they read may be old."""
        [bundle] = self._dag_bundles
        busy = {str(file.rel_path) for file in self._processors}
        free = [file for file in _parses().requested() if file not in busy]
        for file in free:
            _parses().begin(file)
        wanted = [DagFileInfo(Path(file), bundle_name=bundle.name, bundle_path=bundle.path) for file in free]
        return [*super().claim_priority_files(), *wanted]

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
        _parses().note(str(file.rel_path), outcome)

    @override
    def _service_processor_sockets(self, timeout: float | None = 1.0) -> None:
        brisk = State.current().is_awaited()
        super()._service_processor_sockets(min(timeout or 0.0, BRISK_SECONDS) if brisk else timeout)


def _parses() -> Parses:
    return State.current().parses
