"""Run the application in this process, or in a thread for tests."""

from __future__ import annotations

import errno
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from devstack.upstreams.app import create_app

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

START_SECONDS = 10.0
STOP_SECONDS = 10.0


class PortTakenError(RuntimeError):
    """Another program listens on the port; the message names the port and the fix."""


class Protocol(H11Protocol):
    """HTTP/1.1 that lets a scenario reach its own connection, as ``scope["state"]["transport"]``, to break it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the requests of this connection."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.app_state = {**self.app_state, "transport": transport}


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 lets the system choose.

    Raises:
        PortTakenError: if the port is taken.
        OSError: if the host is not an address of this machine.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(
                f"port {port} of {host}: address already in use; stop that program or choose another --port"
            ) from error
        raise
    return listener


def url(listener: socket.socket) -> str:
    """Return the base URL, such as ``http://127.0.0.1:8123``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server(s3: str | None = None) -> uvicorn.Server:
    """Return a server with a new application; no access log, since URLs may contain keys.

    ``s3`` is the URL of the S3 server that the tills deliver to.
    """
    return uvicorn.Server(
        uvicorn.Config(
            create_app(s3),
            http=Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
    )


@contextmanager
def serve(port: int = 0, host: str = "127.0.0.1", s3: str | None = None) -> Iterator[str]:
    """Serve from a thread of this process; yield the base URL once the server is ready.

    Raises:
        PortTakenError: if the port is taken.
        RuntimeError: if the server doesn't start or stop in time.
    """
    listener = listen(host, port)
    running = server(s3)
    thread = threading.Thread(target=running.run, args=([listener],), name="upstreams", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not running.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise RuntimeError(f"the sample upstreams didn't start within {START_SECONDS:.0f} s")
            time.sleep(0.005)
        yield url(listener)
    finally:
        running.should_exit = True
        thread.join(STOP_SECONDS)
        listener.close()
    if thread.is_alive():
        raise RuntimeError(f"the sample upstreams didn't stop within {STOP_SECONDS:.0f} s")
