"""Health checks of the containers: each asks the process itself, cheaply, and answers with its exit code.

The API server's page answers 200 whatever it says, so its text is read; the scheduler's own port answers 503 when its
heart stands still; the other two say only in their database whether they live; a worker is asked through the broker.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
from collections.abc import Callable
from functools import partial

import celery
import psycopg

from deploy.compose.secrets import read

STALE = 30  # seconds without a heartbeat; Airflow's own threshold for these jobs
HEARTBEAT = """
    SELECT extract(epoch FROM now() - latest_heartbeat) FROM job
    WHERE job_type = %s AND hostname = %s AND state = 'running' ORDER BY latest_heartbeat DESC LIMIT 1
"""


class UnhealthyError(Exception):
    """The process doesn't do its work; the message says how that was seen."""


def api() -> None:
    """Ask the API server for its health, and believe what it says about its database."""
    health = json.loads(_get(8080, "/api/v2/monitor/health"))
    if health["metadatabase"]["status"] != "healthy":
        raise UnhealthyError(f"metadata database: {health['metadatabase']}")


def scheduler() -> None:
    """Ask the scheduler's own port."""
    _get(8974, "/health")


def job(job_type: str) -> None:
    """Look up the last heartbeat of this container's job in the metadata database."""
    uri = read("metadata-password", "url").replace("postgresql+psycopg2", "postgresql")
    with psycopg.connect(uri, connect_timeout=5, prepare_threshold=None) as session:
        row = session.execute(HEARTBEAT, [job_type, socket.getfqdn()]).fetchone()
    if row is None:
        raise UnhealthyError(f"no running {job_type} of host {socket.getfqdn()}")
    if row[0] > STALE:
        raise UnhealthyError(f"the last heartbeat of {job_type} is {row[0]:.0f} s old; allowed: {STALE} s")


def worker() -> None:
    """Ping this container's worker through the broker."""
    name = f"celery@{socket.gethostname()}"
    with celery.Celery(broker=read("redis-password", "url")) as application:
        if not application.control.ping(destination=[name], timeout=5):
            raise UnhealthyError(f"{name} didn't answer a ping within 5 s")


def web(port: int, path: str) -> None:
    """Ask any of the other web servers."""
    _get(port, path)


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnhealthyError(f"nothing answers on port {port}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise UnhealthyError(f"port {port} answers {response.status} {body.decode(errors='replace')[:500]}")
    return body


CHECKS: dict[str, Callable[[], None]] = {
    "api": api,
    "scheduler": scheduler,
    "dag-processor": partial(job, "DagProcessorJob"),
    "triggerer": partial(job, "TriggererJob"),
    "worker": worker,
    "flower": partial(web, 5555, "/healthcheck"),
    "mlflow": partial(web, 5000, "/health"),
    "model-server": partial(web, 8000, "/health"),
    "upstreams": partial(web, 8000, "/health"),
    "slack": partial(web, 8000, "/health"),
    "exporter": partial(web, 9105, "/metrics"),
}


def main(arguments: list[str]) -> int:
    """Run the named check; return the exit code."""
    (name,) = arguments
    try:
        CHECKS[name]()
    except UnhealthyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
