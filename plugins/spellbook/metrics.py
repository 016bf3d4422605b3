"""A StatsD client that survives a missing or moving StatsD host; see ``[metrics] statsd_custom_client_path``.

Airflow's own client resolves the host once: a name that is missing at that moment means no metrics for the rest of the
process's life, and a new address is never noticed. This one resolves in the background, again and again.

Tags leave in DogStatsD's form (``ti.finish:1|c|#dag_id:weather``), which unlike the InfluxDB form that Airflow writes
(``ti.finish,dag_id=weather:1|c``) is understood by every StatsD server that knows tags, and in which a value may hold a
colon.
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

REFRESH = 30.0  # seconds between two questions for the address
PATIENCE = 0.2  # seconds that a new client waits for the first answer
KEPT = 1000  # lines that wait for the first answer; the oldest go first


class ReResolvingStatsClient(StatsClient):
    """Send metrics over UDP, to wherever the host is now.

    Nothing here raises, and no call but the first takes longer than a system call: the name is resolved in a thread.
    What is sent before the host is found is kept (the newest :data:`KEPT` lines) and sent then.
    """

    def __init__(
        self, host: str = "localhost", port: int = 8125, prefix: str | None = None, ipv6: bool = False
    ) -> None:
        """Take the arguments in Airflow's order, which isn't that of the base class.

        Args:
            host: name or address of the StatsD server.
            port: its UDP port.
            prefix: put before each name, with a dot.
            ipv6: whether to look for an IPv6 address instead of an IPv4 one.
        """
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        self._host, self._port, self._family = host, port, family
        self._prefix = prefix
        self._maxudpsize = 512
        self._addr: Any = None
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._waiting: deque[str] = deque(maxlen=KEPT)
        self._failing = False
        self._resolution = threading.Thread()
        self._ask()
        if self._resolution.is_alive():
            self._resolution.join(PATIENCE)

    def _send(self, data: str) -> None:
        if time.monotonic() - self._asked >= REFRESH:
            self._ask()
        self._waiting.append("\n".join(map(dogstatsd, data.split("\n"))))
        self._flush()

    def _flush(self) -> None:
        """Send what waits, unless it has to wait on."""
        while self._addr is not None and self._waiting:
            try:
                line = self._waiting.popleft()
                self._sock.sendto(line.encode(), self._addr)
            except (OSError, AttributeError, IndexError) as error:  # unreachable; closed; sent by the other thread
                log.debug("A metric was not sent: %s", error)

    def _ask(self) -> None:
        """Resolve the host in the background, unless the last question is still open."""
        self._asked = time.monotonic()
        if self._resolution.is_alive():
            return
        self._resolution = threading.Thread(target=self._resolve, name="statsd-resolver", daemon=True)
        try:
            self._resolution.start()
        except RuntimeError as error:  # the interpreter ends, or no thread is left
            log.debug("The StatsD host was not looked up: %s", error)

    def _resolve(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, self._port, self._family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            if not self._failing:
                log.warning(
                    "StatsD host %s can't be resolved (%s): no metrics are sent%s; it is looked up again every %.0f s",
                    self._host,
                    error,
                    "" if self._addr is None else " but to its last address",
                    REFRESH,
                )
            self._failing = True
            return
        address = found[0][4]
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
