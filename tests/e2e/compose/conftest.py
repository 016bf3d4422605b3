"""One Compose stack for all tests here. Tests that need its history, or stop it, run last."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.api import Airflow
from devstack.state import free_port
from include.domains.titanic.settings import TITANIC_REPEATS
from include.domains.wine.settings import WINE_CANDIDATES
from tests.e2e.compose import engine
from tests.e2e.compose.stack import OVERRIDE, Compose, copy_of_the_repository

LAST = ("test_monitoring.py", "test_rotation.py", "test_restart.py")
MONITORING = (  # the profile without Grafana, which has no stand-in
    "prometheus",
    "alertmanager",
    "postgres-exporter",
    "warehouse-postgres-exporter",
    "redis-exporter",
    "node-exporter",
    "spellbook-exporter",
)

OVERRIDES = """
services:
  airflow-dag-processor:
    environment:
      AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT: "120"
      AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT: "150"
      AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL: "240"
  airflow-worker:
    environment:
      OMP_NUM_THREADS: "1"
"""
"""An unchanged DAG file is parsed every four minutes, not every 30 s, which takes a sixth of a core; a new one at once,
with time to import what it needs while other tests run.
Models are small here: threads would spend their time waiting for one another.
"""


@pytest.fixture(scope="package")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """The running stack; ``started`` seconds after ``docker compose up``."""
    if reason := engine.missing():
        if engine.is_required():
            pytest.fail(f"{engine.REQUIRED} is set, but {reason}")
        pytest.skip(reason)
    folder = copy_of_the_repository(tmp_path_factory.mktemp("clone"))
    speed_up_prometheus(folder / "deploy/monitoring/prometheus/prometheus.yml")
    (folder / OVERRIDE).write_text(OVERRIDES)
    quick = {WINE_CANDIDATES.name: "article_recipe", TITANIC_REPEATS.name: "1"}
    stack = Compose(folder, f"spellbook-test-{os.getpid()}", free_port(), quick)
    try:
        engine.provide(stack.images())
        stack.run("build", "--quiet", seconds=1200)
        stack.settings["STARTED"] = f"{stack.up():.0f}"
        stack.up(*MONITORING)
        yield stack
    finally:
        stack.remove()


def speed_up_prometheus(prometheus: Path) -> None:
    """Have Prometheus scrape as often as its time-out allows, and evaluate its rules every few seconds."""
    text = prometheus.read_text()
    for slow, fast in {
        "scrape_interval: 30s": "scrape_interval: 15s",
        "evaluation_interval: 30s": "evaluation_interval: 5s",
    }.items():
        assert slow in text
        text = text.replace(slow, fast)
    prometheus.write_text(text)


@pytest.fixture
def airflow(compose: Compose) -> Airflow:
    return compose.airflow()


@pytest.fixture
def drop(compose: Compose) -> Iterator[Callable[[str, str], None]]:
    dropped = []

    def write(name: str, text: str) -> None:
        path = compose.folder / "dags" / name
        path.write_text(text)
        path.chmod(0o644)
        dropped.append(path)

    yield write
    for path in dropped:
        path.unlink()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this stack after those that need none, and those in :data:`LAST` at the end."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if Path(__file__).parent not in item.path.parents:
        return -1
    return LAST.index(item.path.name) + 1 if item.path.name in LAST else 0
