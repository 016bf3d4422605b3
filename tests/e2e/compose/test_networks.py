"""Which servers each container reaches, by their addresses in every network."""

from __future__ import annotations

import json

import pytest

from tests.e2e.compose.stack import Compose
from tests.unit.deploy.test_networks import PORTS, REACHED

TRY = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def reaches(target):
    server, address, port = target
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return None
    return server

with ThreadPoolExecutor(32) as pool:
    print(json.dumps(sorted(filter(None, set(pool.map(reaches, json.loads(sys.argv[1])))))))
"""


@pytest.fixture(scope="module")
def targets(compose: Compose) -> list[tuple[str, str, int]]:
    """Name, address and port of every server, in each of its networks."""
    inspected = compose.inspect()
    return [
        (server, network["IPAddress"], port)
        for server, port in PORTS.items()
        for network in inspected[server]["NetworkSettings"]["Networks"].values()
    ]


@pytest.mark.parametrize("client", REACHED)
def test_a_container_reaches_these_servers_only(
    compose: Compose, targets: list[tuple[str, str, int]], client: str
) -> None:
    others = json.dumps([target for target in targets if target[0] != client])
    reached = json.loads(compose.inside(client, "python3", "-c", TRY, others).splitlines()[-1])
    assert set(reached) == REACHED[client]
