"""Routes alerts by kind and owner, as configured in ``routing.yaml``, unless silenced in ``silences.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from include.core.errors import PermanentError
from include.ops.alerts.alert import UNWATCHED, Alert, Kind

if TYPE_CHECKING:
    from typing import Self

FOLDER = Path(__file__).parent
Model = TypeVar("Model", bound=BaseModel)
Address = Annotated[str, Field(pattern=r"^[^\s,;@]+@[^\s,;@]+$")]


class RoutingError(PermanentError, ValueError):
    """``routing.yaml`` or ``silences.yaml`` is invalid; the message names file and field."""


class Medium(StrEnum):
    """How an alert is delivered."""

    SLACK = "slack"
    MAIL = "mail"


class Severity(StrEnum):
    """Whether the reader has to act."""

    ACT = "act"
    NOTIFY = "notify"


@dataclass(frozen=True)
class Route:
    """A recipient and how to reach it.

    Attributes:
        medium: the medium.
        conn_id: id of the Airflow connection.
        recipient: Slack channel or mail address.
        username: sender shown in Slack.
    """

    medium: Medium
    conn_id: str
    recipient: str
    username: str = ""

    def __str__(self) -> str:
        return f"{self.medium} {self.recipient}"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Slack(_Model):
    """A Slack connection with channel and sender."""

    connection: str
    channel: str = Field(pattern=r"^[#@CDG]")
    username: str = "Spellbook"


class Mail(_Model):
    """A mail server."""

    connection: str


class Outlets(_Model):
    """Media for alerts of a severity."""

    slack: Slack | None = None
    mail: Mail | None = None


class Routing(_Model):
    """``routing.yaml``."""

    kinds: dict[Kind, Severity]
    severities: dict[Severity, Outlets]
    mail: dict[str, list[Address]]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [*(set(Kind) - set(self.kinds)), *(set(Severity) - set(self.severities))]
        if missing or not self.mail.get("default"):
            raise ValueError(f"missing: {', '.join(sorted(missing)) or 'mail.default'}; all are required")
        return self

    @classmethod
    def load(cls, path: Path = FOLDER / "routing.yaml") -> Routing:
        """Read the file.

        Raises:
            RoutingError: naming the field and the allowed values.
        """
        return _read(cls, path)

    def severity(self, alert: Alert) -> Severity:
        """Return the severity of the alert."""
        return self.kinds[alert.kind]

    def routes(self, alert: Alert) -> list[Route]:
        """Return the routes of the alert; none if its DAG is unwatched."""
        if alert.dag_id in UNWATCHED:
            return []
        outlets = self.severities[self.severity(alert)]
        routes = []
        if outlets.slack:
            slack = outlets.slack
            routes.append(Route(Medium.SLACK, slack.connection, slack.channel, slack.username))
        if outlets.mail:
            # A route each: a server may accept some recipients of a mail and refuse the others.
            addresses = dict.fromkeys(self.mail.get(alert.owner) or self.mail["default"])
            routes += [Route(Medium.MAIL, outlets.mail.connection, address) for address in addresses]
        return routes


class Silence(_Model):
    """An entry of ``silences.yaml``."""

    dag_id: str = Field(min_length=1)
    kinds: list[Kind] = list(Kind)
    reason: str = Field(min_length=3)
    expires: date

    def covers(self, alert: Alert) -> bool:
        """Return whether the entry matches the alert, expired or not."""
        return alert.kind in self.kinds and fnmatchcase(alert.dag_id or alert.subject, self.dag_id)


class Silences(_Model):
    """``silences.yaml``."""

    silences: list[Silence] = []

    @classmethod
    def load(cls, path: Path = FOLDER / "silences.yaml") -> Silences:
        """Read the file.

        Raises:
            RoutingError: naming the field and the allowed values.
        """
        return _read(cls, path)

    def reason(self, alert: Alert, now: datetime) -> str:
        """Return why the alert is silenced; empty if it isn't."""
        for silence in self.silences:
            if silence.covers(alert) and now.date() < silence.expires:
                return f"{silence.reason} (until {silence.expires})"
        return ""

    def expired(self, alert: Alert, now: datetime) -> str:
        """Return a note if an expired silence matches the alert, else empty."""
        for silence in self.silences:
            if silence.covers(alert) and now.date() >= silence.expires:
                return (
                    f"The silence until {silence.expires} ({silence.reason}) has expired: remove it from silences.yaml."
                )
        return ""


@cache
def routing() -> Routing:
    """Return this repository's routing, read once."""
    return Routing.load()


@cache
def silences() -> Silences:
    """Return this repository's silences, read once."""
    return Silences.load()


def _read(model: type[Model], path: Path) -> Model:
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise RoutingError(f"{path.name}: {error}") from error
