"""A StatsD client that re-resolves the StatsD host periodically; see ``[metrics] statsd_custom_client_path``.

Airflow's own client resolves the host once: if that fails, the process sends no metrics for the rest of its life, and
it never notices a new address. This client resolves the host repeatedly, in the background.

Tags are sent in DogStatsD's format (``ti.finish:1|c|#dag_id:weather``) instead of Airflow's InfluxDB format
(``ti.finish,dag_id=weather:1|c``), because every StatsD server with tags supports it, and values may contain a colon.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from typing import Any

from statsd import StatsClient

log = logging.getLogger(__name__)

REFRESH = 30.0  # seconds between two lookups
PATIENCE = 0.2  # seconds that a new client waits for the first lookup
MAX_BUFFERED = 1000  # lines; when exceeded, the oldest are dropped


class ReResolvingStatsClient(StatsClient):
    """Sends metrics over UDP to the current address of the host.

    No method raises, and only the constructor may block: the name is resolved in a thread. Until the host has been
    resolved, the newest :data:`MAX_BUFFERED` lines are buffered.
    """

    def __init__(
        self, host: str = "localhost", port: int = 8125, prefix: str | None = None, ipv6: bool = False
    ) -> None:
        """Create the client; the arguments are in Airflow's order, which differs from the base class.

        Args:
            host: name or address of the StatsD server.
            port: its UDP port.
            prefix: prepended to each name, with a dot.
            ipv6: whether to resolve an IPv6 address instead of IPv4.
        """
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        self._host, self._port, self._family = host, port, family
        self._prefix = prefix
        self._maxudpsize = 512
        self._addr: Any = None
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._buffer: deque[str] = deque(maxlen=MAX_BUFFERED)
        self._failing = False
        self._lookup = threading.Thread()
        self._start_lookup()
        if self._lookup.is_alive():
            self._lookup.join(PATIENCE)

    def _send(self, data: str) -> None:
        if time.monotonic() - self._lookup_started >= REFRESH:
            self._start_lookup()
        self._buffer.append("\n".join(map(dogstatsd, data.split("\n"))))
        self._flush()

    def _flush(self) -> None:
        """Send the buffered lines if the address is known."""
        while self._addr is not None and self._buffer:
            try:
                line = self._buffer.popleft()
                self._sock.sendto(line.encode(), self._addr)
            except (OSError, AttributeError, IndexError) as error:  # unreachable; closed; emptied by another thread
                log.debug("A metric was not sent: %s", error)

    def _start_lookup(self) -> None:
        """Resolve the host in the background, unless a lookup is in progress."""
        self._lookup_started = time.monotonic()
        if self._lookup.is_alive():
            return
        self._lookup = threading.Thread(target=self._resolve, name="statsd-resolver", daemon=True)
        try:
            self._lookup.start()
        except RuntimeError as error:  # the interpreter is shutting down, or no thread can be started
            log.debug("The StatsD host was not looked up: %s", error)

    def _resolve(self) -> None:
        try:
            addresses = socket.getaddrinfo(self._host, self._port, self._family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            if not self._failing:
                log.warning(
                    "StatsD host %s can't be resolved (%s): metrics are %s; the lookup is repeated every %.0f s",
                    self._host,
                    error,
                    "buffered" if self._addr is None else "sent to its last address",
                    REFRESH,
                )
            self._failing = True
            return
        address = addresses[0][4]
        if self._failing or self._addr not in {None, address}:
            log.info("StatsD host %s is at %s", self._host, address[0])
        self._failing, self._addr = False, address
        self._flush()


def dogstatsd(line: str) -> str:
    """Return ``line`` (``name,key=value:1|c``) with its tags in DogStatsD's form (``name:1|c|#key:value``)."""
    stat, _, value = line.rpartition(":")
    name, comma, tags = stat.partition(",")
    if not comma:
        return line
    return f"{name}:{value}|#" + ",".join(tag.replace("=", ":", 1) for tag in tags.split(","))
