"""Metrics of the Celery workers and the queues that they serve.

Airflow sends no heartbeat for a Celery worker, and an idle one sends no metrics. So the workers are queried through the
broker: a worker's main process replies even while all its slots are busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from celery import Celery
from kombu.exceptions import KombuError
from prometheus_client.core import GaugeMetricFamily
from redis.exceptions import RedisError

from include.ops.exporter.warehouse import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

REPLY_SECONDS = 1.5  # always used in full, since the number of workers is unknown
SCHEMES = ("redis", "rediss")
OPTIONS = {"max_retries": 1, "socket_connect_timeout": 3, "socket_timeout": 5}


def queues(broker: str, declared: Iterable[str]) -> Iterator[Metric]:
    """Yield workers and slots of each queue; 0 for a declared queue without workers.

    Args:
        broker: the broker's URL, ``redis://…``.
        declared: names of the queues.

    Raises:
        SourceError: if the broker can't be reached, or the URL isn't one of a Redis server; without the URL.
    """
    workers = dict.fromkeys(declared, 0)
    slots = dict(workers)
    serving, statistics = _inspect(broker)
    for worker, served in serving.items():
        concurrency = int(statistics.get(worker, {}).get("pool", {}).get("max-concurrency", 0))
        for queue in served:
            name = str(queue["name"])
            workers[name] = workers.get(name, 0) + 1
            slots[name] = slots.get(name, 0) + concurrency
    for family, values in (
        (
            GaugeMetricFamily(
                "spellbook_queue_workers", "Celery workers that answer and serve the queue.", labels=["queue"]
            ),
            workers,
        ),
        (
            GaugeMetricFamily("spellbook_queue_slots", "Tasks that those workers can run at once.", labels=["queue"]),
            slots,
        ),
    ):
        for queue_name, value in sorted(values.items()):
            family.add_metric([queue_name], value)
        yield family


def _inspect(broker: str) -> tuple[dict[str, list[dict[str, Any]]], dict[str, dict[str, Any]]]:
    """Return the queues and the statistics of each worker that replies in time."""
    try:
        valid = urlsplit(broker).scheme in SCHEMES and urlsplit(broker).port != 0
    except ValueError:
        valid = False
    if not valid:
        raise SourceError(
            "the broker's URL isn't one of a Redis server; write redis://user:password@host:port/database"
        )
    app = Celery(broker=broker, set_as_current=False)
    try:
        with app.connection_for_write(transport_options=OPTIONS) as connection:
            connection.ensure_connection(max_retries=1, timeout=OPTIONS["socket_connect_timeout"])
            inspection = app.control.inspect(timeout=REPLY_SECONDS, connection=connection)
            return inspection.active_queues() or {}, inspection.stats() or {}
    except (KombuError, RedisError) as error:
        raise SourceError(f"the Celery broker doesn't respond: {error}") from error
