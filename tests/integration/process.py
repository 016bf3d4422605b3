"""A server process for a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import requests

from devstack.environment import process_environment
from devstack.process import Record
from devstack.state import REPOSITORY
from devstack.waiting import Activity, wait_for


@dataclass
class Process:
    """A server that can be stopped and started again on the same port."""

    command: list[str]
    url: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    health: str = "/health"
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                cwd=REPOSITORY,
                env=process_environment() | self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        record = self.log.with_suffix(".json")
        Record.of(self.running.pid, "").write(record)
        wait_for(self._is_healthy, self.url, progress=Activity([record], [self.log]), hint=self.log.read_text)

    def _is_healthy(self) -> bool:
        assert self.running
        assert self.running.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}{self.health}", timeout=10).ok
        except requests.RequestException:
            return False

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, signal_number: signal.Signals) -> None:
        assert self.running
        os.killpg(self.running.pid, signal_number)
        self.running.wait(20)
