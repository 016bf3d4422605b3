"""A StatsD server that adds up the counters that Airflow sends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter


class Statsd:
    """A server on the loopback interface.

    Attributes:
        counters: the sum of each counter over all its tags.
    """

    def __init__(self, port: int) -> None:
        self.counters: Counter[str] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        threading.Thread(target=self._receive, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                for line in self._socket.recv(65536).decode().splitlines():
                    self._add(line)

    def _add(self, line: str) -> None:
        """Add a line such as ``airflow.ti.start:1|c|#dag_id:any``."""
        name, _, rest = line.partition(":")
        value, kind, *_ = rest.split("|")
        if kind == "c":
            self.counters[name] += int(value)
