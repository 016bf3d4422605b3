"""Export metrics of the warehouse and the Celery workers to Prometheus.

``python -m include.ops.exporter include.settings:QUEUES include.datasets:DATASETS`` listens on port 9105. If a source
doesn't respond, its ``spellbook_up{source="…"}`` is 0 and a warning is logged; the other sources are unaffected.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import psycopg
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily

from include.core.settings import EnvironmentKey
from include.core.warehouse.connect import connect, conninfo
from include.ops.exporter.warehouse import SourceError, freshness_slos, loads, missing_partitions, outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import Metric

    from include.core.settings import Queue
    from include.core.warehouse.dataset import Dataset

WAREHOUSE_URL_FILE = EnvironmentKey(
    "SPELLBOOK_WAREHOUSE_URL_FILE",
    "/run/secrets/monitor-password/url",
    "File with the warehouse's URL, for the metrics exporter; read access is sufficient.",
)
BROKER_URL_FILE = EnvironmentKey(
    "SPELLBOOK_BROKER_URL_FILE",
    "",
    "File with the Celery broker's URL, for the metrics exporter. Empty: there are no Celery workers.",
)
PORT = EnvironmentKey("SPELLBOOK_EXPORTER_PORT", "9105", "TCP port of the metrics exporter.")

STATEMENT_SECONDS = 5

log = logging.getLogger("spellbook.exporter")


@dataclass(frozen=True)
class Exporter:
    """Collects metrics on each scrape; keeps no connection between scrapes."""

    queues: tuple[Queue, ...]
    datasets: tuple[Dataset, ...]

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families of all sources that respond."""
        yield freshness_slos(self.datasets)
        up = GaugeMetricFamily("spellbook_up", "Whether the source answered this scrape.", labels=["source"])
        sources: dict[str, Callable[[], Iterable[Metric]]] = {"warehouse": self._warehouse}
        if BROKER_URL_FILE.read():
            sources["broker"] = self._broker
        for source, read in sources.items():
            try:
                families = list(read())
            except (OSError, psycopg.Error, SourceError) as error:
                log.warning("%s can't be read: %s", source, error)
                up.add_metric([source], 0)
            else:
                up.add_metric([source], 1)
                yield from families
        yield up

    def _warehouse(self) -> Iterator[Metric]:
        url = _secret(WAREHOUSE_URL_FILE)
        try:
            conninfo(url)
        except (ValueError, psycopg.ProgrammingError):
            # The error itself may contain a part of the secret.
            raise SourceError(
                f"{WAREHOUSE_URL_FILE.read()} ({WAREHOUSE_URL_FILE.name}) isn't a URL of a PostgreSQL database; write"
                " postgresql://user:password@host:port/database"
            ) from None
        with connect(url, statement_timeout=STATEMENT_SECONDS, lock_timeout=1) as session:
            yield from loads(session, self.datasets)
            yield from missing_partitions(session, self.datasets, datetime.now(UTC))
            yield from outbox(session)

    def _broker(self) -> Iterator[Metric]:
        from include.ops.exporter.workers import queues

        return queues(_secret(BROKER_URL_FILE), (queue.name for queue in self.queues))


def _secret(key: EnvironmentKey) -> str:
    """Return the content of the file that ``key`` names; read each time, since it may change."""
    return Path(key.read()).read_text(encoding="utf-8").strip()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m include.ops.exporter", description=__doc__)
    parser.add_argument("queues", type=resolve_name, help="declared queues, as package.module:NAME")
    parser.add_argument("datasets", type=resolve_name, help="declared datasets, as package.module:NAME")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exporter(arguments.queues, arguments.datasets))
    server, thread = start_http_server(int(PORT.read()), registry=registry)
    log.info("listening on port %s", server.server_port)
    stopping.wait()
    server.shutdown()
    thread.join()
    server.server_close()


if __name__ == "__main__":
    main()
