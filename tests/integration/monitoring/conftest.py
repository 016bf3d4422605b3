"""The metrics exporter as a process, and its samples."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = Path(__file__).parents[3]
Samples = dict[str, float]


class Exporter:
    """A running exporter; ``url_file`` holds the warehouse's URL."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.url_file, self.log = folder / "url", folder / "log"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "include.ops.exporter", "include.settings:QUEUES", "include.datasets:DATASETS"],
                cwd=REPOSITORY,
                env=os.environ
                | environment
                | {"SPELLBOOK_WAREHOUSE_URL_FILE": str(self.url_file), "SPELLBOOK_EXPORTER_PORT": str(self.port)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def scrape(self) -> Samples:
        """Samples by ``name{value of the only label}``."""
        deadline = time.monotonic() + 30
        while True:
            try:
                response = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=20)
                break
            except requests.ConnectionError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.1)
        assert response.status_code == 200
        return {
            sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(10)


@pytest.fixture
def start_exporter(tmp_path: Path) -> Iterator[Callable[..., Exporter]]:
    """Start an exporter with these environment keys; it ends with the test."""
    started: list[Exporter] = []

    def start(**environment: str) -> Exporter:
        started.append(Exporter(tmp_path, **environment))
        return started[-1]

    yield start
    for exporter in started:
        exporter.stop()
