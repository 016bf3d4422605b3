"""Secrets that are only bait: planted as connections, and searched for in what Airflow would store of a DAG."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from urllib.parse import quote

from include.core.settings import Connection
from include.settings import CONNECTIONS


@dataclass(frozen=True)
class Canary:
    """The bait in one part of one connection."""

    connection: Connection
    part: str
    value: str

    def __str__(self) -> str:
        """Name it without its value."""
        return f"the {self.part} of connection {self.connection.conn_id}"

    def is_in(self, text: str) -> bool:
        """Whether ``text`` holds the value: as it is, quoted for a URL or for JSON, or in base64 at any alignment."""
        forms = {self.value, quote(self.value), quote(self.value, safe=""), json.dumps(self.value)[1:-1]}
        for shift, first_own in enumerate((0, 2, 3)):
            # Both ends are shared with neighbouring bytes, so they are cut off.
            encoded = base64.b64encode(bytes(shift) + self.value.encode()).decode()[first_own:-4]
            forms |= {encoded, encoded.translate(str.maketrans("+/", "-_"))}
        return any(form in text for form in forms)


def make_canaries() -> list[Canary]:
    """Return fresh ones for every declared connection; their odd characters make every quoting visible."""
    return [Canary(c, part, f"{secrets.token_hex(12)}/+ü") for c in CONNECTIONS for part in ("password", "extra")]


def as_environment(canaries: list[Canary]) -> dict[str, str]:
    """Return ``AIRFLOW_CONN_*`` that hold them."""
    held = {(canary.connection, canary.part): canary.value for canary in canaries}
    return {
        connection.variable: connection.to_json(
            host="127.0.0.1",
            login="canary",
            password=held[connection, "password"],
            extra={"token": held[connection, "extra"]},
        )
        for connection in CONNECTIONS
    }
