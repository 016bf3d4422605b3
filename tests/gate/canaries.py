"""Fake secrets, planted as connections and searched for in the serialized DAGs that Airflow would store."""

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
    """The fake secret in one part of a connection."""

    connection: Connection
    part: str
    value: str

    def __str__(self) -> str:
        """Return its name, without its value."""
        return f"the {self.part} of connection {self.connection.conn_id}"

    def is_in(self, text: str) -> bool:
        """Return whether ``text`` contains the value: plain, quoted for URLs or JSON, or in base64 at any alignment."""
        forms = {self.value, quote(self.value), quote(self.value, safe=""), json.dumps(self.value)[1:-1]}
        for shift, first_own in enumerate((0, 2, 3)):
            # Both ends are shared with neighbouring bytes, so they are cut off.
            encoded = base64.b64encode(bytes(shift) + self.value.encode()).decode()[first_own:-4]
            forms |= {encoded, encoded.translate(str.maketrans("+/", "-_"))}
        return any(form in text for form in forms)


def make_canaries() -> list[Canary]:
    """Return new canaries for every declared connection; their special characters reveal every quoting."""
    return [Canary(c, part, f"{secrets.token_hex(12)}/+ü") for c in CONNECTIONS for part in ("password", "extra")]


def as_environment(canaries: list[Canary]) -> dict[str, str]:
    """Return ``AIRFLOW_CONN_*`` variables that contain them."""
    values = {(canary.connection, canary.part): canary.value for canary in canaries}
    return {
        connection.variable: connection.to_json(
            host="127.0.0.1",
            login="canary",
            password=values[connection, "password"],
            extra={"token": values[connection, "extra"]},
        )
        for connection in CONNECTIONS
    }
