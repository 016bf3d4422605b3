"""A server process for a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests

from devstack.environment import process_environment
from devstack.state import REPOSITORY


@dataclass
class Process:
    """A server that can be stopped and started again on the same port."""

    command: list[str]
    url: str
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                cwd=REPOSITORY,
                env=process_environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                requests.get(f"{self.url}/health", timeout=2).raise_for_status()
            except requests.RequestException:
                assert self.running.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, signal_number: signal.Signals) -> None:
        assert self.running
        os.killpg(self.running.pid, signal_number)
        self.running.wait(20)
