"""What a source's YAML may say: one model, from which the checks, the editor's JSON schema and the DAG follow.

Imported whenever the DAG files are parsed: keep it free of heavy imports.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from include.core.warehouse.dataset import LINEAGE

TYPES = ("text", "integer", "number", "decimal", "boolean", "date", "timestamp")
RANGED = ("integer", "number", "decimal")
BUILT_IN = ("day", "line")

Kind = Literal["text", "integer", "number", "decimal", "boolean", "date", "timestamp"]


def _cron(value: str) -> str:
    if len(value.split()) != 5:
        raise ValueError("give a cron expression of five fields, such as '0 6 * * *'")
    try:
        croniter(value, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)).get_next()
    except (CroniterError, ValueError) as error:
        raise ValueError(f"give a cron expression of five fields, such as '0 6 * * *' ({error})") from error
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("give a time zone of the IANA database, such as Europe/London") from error
    return value


def _connection(value: str, info: ValidationInfo) -> str:
    if info.context is not None and value not in info.context:
        raise ValueError(f"allowed: {', '.join(info.context)}; a new one is declared in include/core/settings.py")
    return value


def _path(value: str) -> str:
    if ".." in value.split("/") or "//" in value:
        raise ValueError("give a path below the connection's host, such as /v1/sales, without .. or //")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"give a regular expression ({error})") from error
    return value


Word = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Lower case, digits and _.")]


class Strict(BaseModel):
    """Refuses what it doesn't know, and takes no value for one of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ColumnContract(Strict):
    """One column of the contract."""

    type: Kind
    source: Annotated[Word | None, Field(alias="from", description="Field of the answer; default: the name.")] = None
    nullable: Annotated[bool, Field(description="Whether a value may be missing.")] = False
    minimum: Annotated[float | None, Field(allow_inf_nan=False, description="Smallest value; for numbers.")] = None
    maximum: Annotated[float | None, Field(allow_inf_nan=False, description="Largest value; for numbers.")] = None
    allowed: Annotated[tuple[Word, ...], Field(strict=False, description="The only values; for text.")] = ()
    pattern: Annotated[
        Annotated[Word, AfterValidator(_pattern)] | None,
        Field(description="Regular expression that the whole text matches."),
    ] = None
    null_words: Annotated[
        tuple[str, ...], Field(strict=False, description="Values that stand for a missing one, such as 'N/A'.")
    ] = ()
    ambiguous: Annotated[
        Literal["earlier", "later", "reject"],
        Field(description="Which one a local time is that clocks show twice, when summer time ends."),
    ] = "earlier"
    pii: Annotated[bool, Field(description="Personal data: never in a message or in quarantine.")] = False
    doc: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type not in RANGED and (self.minimum, self.maximum) != (None, None):
            raise ValueError(f"minimum and maximum are for the types {', '.join(RANGED)}, not for {self.type}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is larger than maximum {self.maximum:g}")
        if self.type != "text" and (self.allowed or self.pattern):
            raise ValueError(f"allowed and pattern are for the type text, not for {self.type}")
        return self


class Limits(Strict):
    """Bounds of one run's extraction."""

    page_size: Annotated[int, Field(ge=1, le=10_000, description="Rows a page.")] = 500
    rows: Annotated[int, Field(ge=1, le=10_000_000, description="Rows that a day may have.")] = 200_000
    megabytes: Annotated[int, Field(ge=1, le=100, description="Size of one answer.")] = 5
    deadline: Annotated[int, Field(ge=1, le=3600, description="Seconds for one call, its retries included.")] = 120


class Source(Strict):
    """One source: where its rows come from, which are good, and when they are fetched."""

    name: Annotated[Name, Field(description="Equals the file's name; the DAG is process_<name>_data.")]
    description: Annotated[str, Field(min_length=10, max_length=500)]
    owner: Word
    schedule: Annotated[str, AfterValidator(_cron), Field(description="Cron, five fields, UTC.")]
    start_date: Annotated[dt.date, Field(strict=False, description="First day that runs are made for.")]
    connection: Annotated[str, AfterValidator(_connection)] = "sources_default"
    path: Annotated[
        str,
        Field(pattern=r"^/[A-Za-z0-9_./-]+$", max_length=200, description="Below the connection's host."),
        AfterValidator(_path),
    ]
    timezone: Annotated[
        str, AfterValidator(_time_zone), Field(description="Of the source's days, and of times without an offset.")
    ] = "UTC"
    day_column: Annotated[Name | None, Field(description="Column whose day must be the one that was asked for.")] = None
    key: Annotated[
        tuple[Name, ...],
        Field(min_length=1, strict=False, description="Columns that tell a day's rows apart; 'line': their place."),
    ]
    columns: Annotated[dict[Name, ColumnContract], Field(min_length=1, max_length=200)]
    minimum_rows: Annotated[int, Field(ge=0, description="Fewest rows that a day has; 0 if it may have none.")] = 1
    max_bad_share: Annotated[
        float, Field(ge=0, lt=1, description="Largest share of bad rows that is still published.")
    ] = 0.0
    freshness: Annotated[
        float | None,
        Field(
            gt=0,
            le=8784,
            allow_inf_nan=False,
            description="Hours that may pass from a complete load to the next before an alert; none: no alert.",
        ),
    ] = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        reserved = sorted(set(self.columns) & {*BUILT_IN, *LINEAGE})
        if reserved:
            raise ValueError(f"columns: {', '.join(reserved)} is a name that every source's table has; choose another")
        for name in self.key:
            if name not in self.columns and name != "line":
                raise ValueError(f"key: {name!r} is none of the columns: {', '.join(self.columns)}, line")
            if name in self.columns and self.columns[name].nullable:
                raise ValueError(f"key: {name!r} may not be nullable, since it tells rows apart")
        if len(set(self.key)) < len(self.key):
            raise ValueError("key: a column stands twice")
        if self.day_column is not None:
            if self.day_column not in self.columns:
                raise ValueError(f"day_column: {self.day_column!r} is none of the columns: {', '.join(self.columns)}")
            if self.columns[self.day_column].type not in {"date", "timestamp"}:
                raise ValueError(f"day_column: {self.day_column!r} must be a date or a timestamp")
        return self

    @property
    def dag_id(self) -> str:
        """``process_<name>_data``."""
        return f"process_{self.name}_data"

    @property
    def table(self) -> str:
        """Table, and asset, that is published: ``<name>_data``."""
        return f"{self.name}_data"

    @property
    def zone(self) -> ZoneInfo:
        """The source's time zone."""
        return ZoneInfo(self.timezone)
