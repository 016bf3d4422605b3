"""A TCP proxy in front of a server, which can lose, cut, delay or replace its replies, or refuse connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class TcpProxy:
    """Forwards ``port`` to ``target`` on the loopback interface.

    Attributes:
        loses_commit: whether the reply to the next COMMIT gets lost; set by :meth:`lose_next_commit`.
        lost: set when it was.
        replacements: what the next requests are answered instead of being forwarded.
        cuts: how many of the next replies lose their second half, and the connection.
        delay: seconds for which each piece of a reply is held back.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self.loses_commit = False
        self.lost = threading.Event()
        self.replacements: list[bytes] = []
        self.cuts = 0
        self.delay = 0.0
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._listen()

    def lose_next_commit(self) -> None:
        """Forward the next COMMIT, wait until the server has carried it out, and close the connection."""
        self.lost.clear()
        self.loses_commit = True

    def drop(self) -> int:
        """End the open connections; return their number."""
        dropped = 0
        while self._open:
            _shut_down(self._open.pop())
            dropped += 1
        return dropped

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections in the block, as if nothing listened; those that are open end."""
        self.close()
        self.drop()
        try:
            yield
        finally:
            self._listen()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Accept connections in the block, but forward nothing; afterwards, those from before and in it end."""
        self._flows.clear()
        try:
            yield
        finally:
            self.drop()
            self._flows.set()

    def reset(self) -> None:
        """Forward everything again."""
        self.loses_commit = False
        self.replacements.clear()
        self.cuts, self.delay = 0, 0.0

    def close(self) -> None:
        _shut_down(self._listener)  # ends the thread that accepts, which would keep the port open
        self._listener.close()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            committing = threading.Event()
            threading.Thread(target=self._forward_replies, args=[server, client, committing], daemon=True).start()
            while data := client.recv(65536):
                self._flows.wait()
                if self.replacements:
                    client.sendall(self.replacements.pop(0))
                    break
                if self.loses_commit and b"COMMIT" in data:
                    self.loses_commit = False
                    committing.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        self._open.discard(client)

    def _forward_replies(self, server: socket.socket, client: socket.socket, committing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if committing.is_set():  # the server replies once it has committed
                    self.lost.set()
                    break
                self._flows.wait()
                time.sleep(self.delay)
                if self.cuts > 0:
                    self.cuts -= 1
                    client.sendall(data[: len(data) // 2])
                    break
                client.sendall(data)
        _shut_down(client)
        _shut_down(server)


def _shut_down(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
