"""The extras of an Airflow connection: settings beside host, port, login and password."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

from include.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

NESTED = "__extra__"  # where Airflow's get_uri() puts extras that don't fit a query string


@dataclass(frozen=True)
class Extras:
    """The extras of one connection; ``None`` and an empty string count as not given.

    Attributes:
        owner: the connection, for messages.
        values: the extras by name; they may be secret.
    """

    owner: str
    values: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Read the extras of a connection.

        Raises:
            ConfigurationError: if they aren't a JSON object; the message doesn't show them.
        """
        owner = f"connection {connection.conn_id!r}"
        return cls(owner, _json_object(owner, connection.extra))

    @classmethod
    def of_query(cls, owner: str, query: str) -> Self:
        """Read the extras from the query of a connection's URI; raises as :meth:`of` does."""
        values = dict(parse_qsl(query, keep_blank_values=True))
        nested = values.pop(NESTED, None)
        return cls(owner, values | _json_object(owner, nested))

    def text(self, name: str) -> str:
        """Return a string; an empty one if it isn't given.

        Raises:
            ConfigurationError: if it is of another type.
        """
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise self.error(name, "a string")
        return value or ""

    def texts(self, name: str, what: str = "strings") -> list[str]:
        """Return a list of strings; an empty one if it isn't given.

        Args:
            name: the extra.
            what: what the strings are, for the message.

        Raises:
            ConfigurationError: if it is of another type.
        """
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.error(name, f"a list of {what}")
        return value

    def positive_number(self, name: str, default: float, unit: str = "") -> float:
        """Return a number, which may be given as a string.

        Args:
            name: the extra.
            default: the number if it isn't given.
            unit: such as ``seconds``, for the message.

        Raises:
            ConfigurationError: if it isn't a finite number above 0.
        """
        value = self.values.get(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = 0
        if not 0 < number < math.inf:
            raise self.error(name, "a positive number" + (f" of {unit}" if unit else ""))
        return number

    def error(self, name: str, allowed: str) -> ConfigurationError:
        """Return the error that names connection, extra, value and what is allowed."""
        return ConfigurationError(f"{self.owner}: extra.{name}: {self.values[name]!r} isn't {allowed}")


def _json_object(owner: str, text: str | None) -> dict[str, Any]:
    try:
        values = json.loads(text or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ConfigurationError(f'{owner}: extra: not a JSON object; write it like {{"name": "value"}}')
    return values
