"""Finding the process that listens on a port."""

from __future__ import annotations

import sys

import pytest

from tests.integration.devstack.conftest import as_ordinary_user

BESIDE_A_HIDDEN_CHILD = """
import ctypes, signal, socket
from devstack.process import is_listening
ready, say = os.pipe()
with socket.create_server(("127.0.0.1", 0)) as server:
    child = os.fork()
    if not child:
        server.close()
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
        os.write(say, b"x")
        signal.pause()
    os.read(ready, 1)
    hidden, port = psutil.Process(child), server.getsockname()[1]
    try:
        hidden.net_connections()
    except psutil.AccessDenied:
        print("hidden")
    try:
        print(is_listening(psutil.Process(), port), is_listening(hidden, port))
    finally:
        hidden.kill()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there does Airflow hide the process that supervises a task")
def test_a_process_listens_beside_a_child_that_hides_its_sockets() -> None:
    assert as_ordinary_user(BESIDE_A_HIDDEN_CHILD).split() == ["hidden", "True", "False"]
