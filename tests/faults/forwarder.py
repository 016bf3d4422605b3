"""A TCP forwarder in front of a server, which can lose the reply to a COMMIT, or refuse connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Forwarder:
    """Forwards ``port`` to ``target`` on the loopback interface."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self._lose_commit = False
        self.lost = threading.Event()
        self._open: set[socket.socket] = set()
        self._listen()

    def lose_next_commit(self) -> None:
        """Forward the next COMMIT, wait until the server has carried it out, and close the connection."""
        self.lost.clear()
        self._lose_commit = True

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections in the block, as if nothing listened; those that are open end."""
        self.close()
        for client in list(self._open):
            _shut_down(client)
        try:
            yield
        finally:
            self._listen()

    def calm(self) -> None:
        """Lose nothing any more."""
        self._lose_commit = False

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
                if self._lose_commit and b"COMMIT" in data:
                    self._lose_commit = False
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
                client.sendall(data)
        _shut_down(client)
        _shut_down(server)


def _shut_down(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
