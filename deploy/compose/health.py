"""Health checks of the containers: each probes the process itself, cheaply, and returns an exit code.

The API server's endpoint always returns 200, so its body is checked; the scheduler's port returns 503 without a recent
heartbeat; the dag-processor and triggerer have heartbeats in the database only; a worker is pinged through the broker.
Each check imports only what it needs: all run every two seconds while the stack starts.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
from collections.abc import Callable
from functools import partial

from deploy.compose.secrets import read

STALE = 30  # seconds without a heartbeat; Airflow's own threshold for these jobs
HEARTBEAT = """
    SELECT extract(epoch FROM now() - latest_heartbeat) FROM job
    WHERE job_type = %s AND hostname = %s AND state = 'running' ORDER BY latest_heartbeat DESC LIMIT 1
"""


class UnhealthyError(Exception):
    """The process isn't working; the message says what failed."""


def api() -> None:
    """Check the database status that the API server reports."""
    health = json.loads(_get(8080, "/api/v2/monitor/health"))
    if health["metadatabase"]["status"] != "healthy":
        raise UnhealthyError(f"metadata database: {health['metadatabase']}")


def scheduler() -> None:
    """Check the scheduler's health endpoint."""
    _get(8974, "/health")


def job(job_type: str) -> None:
    """Check the last heartbeat of this container's job in the metadata database."""
    import psycopg

    uri = read("metadata-password", "url").replace("postgresql+psycopg2", "postgresql")
    with psycopg.connect(uri, connect_timeout=5, prepare_threshold=None) as session:
        row = session.execute(HEARTBEAT, [job_type, socket.getfqdn()]).fetchone()
    if row is None:
        raise UnhealthyError(f"no running {job_type} of host {socket.getfqdn()}")
    if row[0] > STALE:
        raise UnhealthyError(f"the last heartbeat of {job_type} is {row[0]:.0f} s old; allowed: {STALE} s")


def worker() -> None:
    """Ping this container's worker through the broker."""
    import celery

    name = f"celery@{socket.gethostname()}"
    with celery.Celery(broker=read("redis-password", "url")) as application:
        if not application.control.ping(destination=[name], timeout=5):
            raise UnhealthyError(f"{name} didn't respond to a ping within 5 s")


def web(port: int, path: str) -> None:
    """Check the health endpoint of another web server."""
    _get(port, path)


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnhealthyError(f"no response on port {port}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise UnhealthyError(f"port {port} returned {response.status} {body.decode(errors='replace')[:500]}")
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
