"""What a DAG file must not do while it is parsed: use the network, a Variable or a Connection."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from airflow.secrets import BaseSecretsBackend
from typing_extensions import override

from tests.gate.launch import ROOT

GATE = Path(__file__).resolve().parent
NETWORK_EVENTS = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.sendto",
        "socket.sendmsg",
    }
)

reads: list[str] = []


class NetworkAtParseError(RuntimeError):
    """Code at a DAG file's top level tried to use the network."""


def block_network() -> None:
    """Refuse all network access of this process and its forks from now on."""
    sys.addaudithook(_refuse_network)


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in NETWORK_EVENTS:
        target = next((str(a) for a in arguments if isinstance(a, (str, tuple))), "?")
        raise NetworkAtParseError(f"{event} to {target} while the file is parsed")


class SecretsTripwire(BaseSecretsBackend):
    """An empty secrets backend that records reads in :data:`reads`; Airflow tries it before any other."""

    @override
    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> None:
        reads.append(f"connection {conn_id!r} is read{_place()}")

    @override
    def get_variable(self, key: str, team_name: str | None = None) -> None:
        reads.append(f"variable {key!r} is read{_place()}")


def _place() -> str:
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_stack()]
    own_frames = [
        f" at {path.relative_to(ROOT)}:{line}"
        for path, line in frames
        if path.is_relative_to(ROOT) and path.parent != GATE and "site-packages" not in path.parts
    ]
    return own_frames[-1] if own_frames else ""
