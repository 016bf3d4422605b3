"""Answer Prometheus with what the warehouse and the Celery workers say at that moment.

``python -m include.exporter`` listens on port 9105. A source that doesn't answer makes its
``spellbook_up{source="…"}`` 0, and a line in the log; the others are answered as ever.
"""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily

from include.exporter.errors import SourceError
from include.exporter.warehouse import freshness_slos, loads, outbox
from include.settings import EnvironmentKey
from include.warehouse.connect import connect, conninfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import Metric

WAREHOUSE_URL_FILE = EnvironmentKey(
    "SPELLBOOK_WAREHOUSE_URL_FILE",
    "/run/secrets/monitor-password/url",
    "File that holds the warehouse's URL, for the exporter of metrics; reading rights are enough.",
)
BROKER_URL_FILE = EnvironmentKey(
    "SPELLBOOK_BROKER_URL_FILE",
    "",
    "File that holds the Celery broker's URL, for the exporter of metrics. Empty: there are no Celery workers.",
)
PORT = EnvironmentKey("SPELLBOOK_EXPORTER_PORT", "9105", "TCP port of the exporter of metrics.")

STATEMENT_SECONDS = 5

log = logging.getLogger("spellbook.exporter")


class Exporter:
    """Collects anew at each scrape; holds no connection between two of them."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family that can be had."""
        yield freshness_slos()
        up = GaugeMetricFamily("spellbook_up", "Whether the source answered this scrape.", labels=["source"])
        sources: dict[str, Callable[[], Iterable[Metric]]] = {"warehouse": _warehouse}
        if BROKER_URL_FILE.read():
            sources["broker"] = _broker
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


def _warehouse() -> Iterator[Metric]:
    url = _secret(WAREHOUSE_URL_FILE)
    try:
        conninfo(url)
    except (ValueError, psycopg.ProgrammingError):
        # The error itself may hold a part of the secret.
        raise SourceError(
            f"{WAREHOUSE_URL_FILE.read()} ({WAREHOUSE_URL_FILE.name}) holds no URL of a PostgreSQL database; write"
            " postgresql://user:password@host:port/database"
        ) from None
    with connect(url, statement_timeout=STATEMENT_SECONDS, lock_timeout=1) as session:
        yield from loads(session)
        yield from outbox(session)


def _broker() -> Iterator[Metric]:
    from include.exporter.workers import queues

    return queues(_secret(BROKER_URL_FILE))


def _secret(key: EnvironmentKey) -> str:
    """Return the content of the file that ``key`` names; read anew each time, so that it may change."""
    return Path(key.read()).read_text(encoding="utf-8").strip()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exporter())
    server, thread = start_http_server(int(PORT.read()), registry=registry)
    log.info("listening on port %s", server.server_port)
    ended.wait()
    server.shutdown()
    thread.join()
    server.server_close()


if __name__ == "__main__":
    main()
