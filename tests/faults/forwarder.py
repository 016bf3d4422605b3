"""A TCP forwarder in front of a server, which can lose the reply to a COMMIT."""

from __future__ import annotations

import contextlib
import socket
import threading


class Forwarder:
    """Forwards ``port`` to ``target`` on the loopback interface."""

    def __init__(self, port: int, target: int) -> None:
        self._target = target
        self._lose_commit = False
        self.lost = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next_commit(self) -> None:
        """Forward the next COMMIT, wait until the server has carried it out, and close the connection."""
        self.lost.clear()
        self._lose_commit = True

    def calm(self) -> None:
        """Forward everything again."""
        self._lose_commit = False

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            committing = threading.Event()
            threading.Thread(target=self._forward_replies, args=[server, client, committing], daemon=True).start()
            while data := client.recv(65536):
                if self._lose_commit and b"COMMIT" in data:
                    self._lose_commit = False
                    committing.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _forward_replies(self, server: socket.socket, client: socket.socket, committing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if committing.is_set():  # the server replies once it has committed
                    self.lost.set()
                    break
                client.sendall(data)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
