"""How the API server copes with a burst of triggers: ``python -m benchmarks.burst --url URL --password PASSWORD``.

Against a running Compose stack that mounts this repository's ``dags/``. Adds 60 DAGs, triggers 200 runs of them from
40 threads, and measures meanwhile how long the health endpoint takes: like a task's heartbeat, it needs the database
and isn't limited. Removes the DAGs' file; their runs remain.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles

import requests

from devstack.api import Airflow
from devstack.state import REPOSITORY
from devstack.waiting import wait_for

DAGS, TRIGGERS, THREADS = 60, 200, 40
PING_SECONDS = 0.2
SOURCE = """
from datetime import datetime
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

for dag_id in {dag_ids}:
    with DAG(dag_id, schedule=None, start_date=datetime(2024, 1, 1), is_paused_upon_creation=False):
        EmptyOperator(task_id="nothing")
"""


@contextmanager
def many_dags(airflow: Airflow, folder: Path) -> Iterator[list[str]]:
    """Add the DAGs, and wait until they are listed; remove them at the end."""
    dag_ids = [f"burst_{number}" for number in range(DAGS)]
    file = folder / "burst.py"
    file.write_text(SOURCE.format(dag_ids=dag_ids))
    try:
        wait_for(lambda: set(dag_ids) <= set(airflow.dag_ids()), "the DAGs to be listed", progress=airflow.dag_ids)
        yield dag_ids
    finally:
        file.unlink()


def trigger(url: str, headers: dict[str, str], dag_id: str) -> tuple[int, float]:
    """Trigger a run; return the response's status and the seconds until it."""
    started_at = time.monotonic()
    response = requests.post(
        f"{url}/api/v2/dags/{dag_id}/dagRuns",
        json={"logical_date": None},
        headers=headers,
        timeout=600,
    )
    return response.status_code, time.monotonic() - started_at


def ping(url: str, ended: threading.Event) -> list[float]:
    """Ask for the health until ``ended``; return the seconds of each response."""
    seconds = []
    while not ended.wait(PING_SECONDS):
        started_at = time.monotonic()
        requests.get(f"{url}/api/v2/monitor/health", timeout=600).raise_for_status()
        seconds.append(time.monotonic() - started_at)
    return seconds


def summary(seconds: list[float]) -> str:
    """Return median, 99th percentile and maximum."""
    percentiles = quantiles(seconds, n=100, method="inclusive")
    return f"p50 {percentiles[49]:.2f} s, p99 {percentiles[98]:.2f} s, max {max(seconds):.2f} s"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.burst", description=__doc__)
    parser.add_argument("--url", default="http://localhost:8080")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", required=True, help="printed by `docker compose run --rm cli credentials`")
    parser.add_argument("--dags", type=Path, default=REPOSITORY / "dags", help="folder that the stack mounts")
    arguments = parser.parse_args()
    airflow = Airflow(arguments.url, arguments.user, arguments.password)
    login = {"username": arguments.user, "password": arguments.password}
    token = requests.post(f"{arguments.url}/auth/token", json=login, timeout=600).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    ended = threading.Event()
    with many_dags(airflow, arguments.dags) as dag_ids, ThreadPoolExecutor(THREADS + 1) as pool:
        pings = pool.submit(ping, arguments.url, ended)
        started_at = time.monotonic()
        chosen = islice(cycle(dag_ids), TRIGGERS)
        responses = list(pool.map(lambda dag_id: trigger(arguments.url, headers, dag_id), chosen))
        lasted = time.monotonic() - started_at
        ended.set()
        print(f"{TRIGGERS} triggers of {DAGS} DAGs, {THREADS} at a time: {lasted:.1f} s")
        print(f"status: {dict(Counter(status for status, _ in responses))}")
        print(f"trigger: {summary([seconds for _, seconds in responses])}")
        print(f"health: {summary(pings.result())}")


if __name__ == "__main__":
    main()
