"""The model of a source's YAML, used for validation, for the editor's JSON schema and for the DAG.

Imported whenever the DAG files are parsed: keep it free of heavy imports.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from include.core.formats.recognise import Format
from include.core.sources.api import Api
from include.core.sources.strict import Strict, Word
from include.core.warehouse.calendar import EXCEPTION, EXCEPTION_HELP
from include.core.warehouse.dataset import LINEAGE
from include.core.warehouse.patterns import portable
from include.core.warehouse.rules import ColumnRule

TYPES = ("text", "integer", "number", "decimal", "boolean", "date", "timestamp")
GROUPING = ("text", "integer", "date")
RANGED = ("integer", "number", "decimal")
BUILT_IN = ("day", "line")

DAY_FIELD = re.compile(r"\{day(:[%YmdHj/_.-]{1,20})?\}")
MOST_STARS = 3
RANDOM = re.compile(r"\b[RH]\b", re.IGNORECASE | re.ASCII)  # of croniter: other times in each process

Kind = Literal["text", "integer", "number", "decimal", "boolean", "date", "timestamp"]


def _cron(value: str) -> str:
    if RANDOM.search(value):
        raise ValueError("must be a cron expression with fixed times: R and H stand for random ones")
    if len(value.split()) != 5:
        raise ValueError("must be a cron expression of five fields, such as '0 6 * * *'")
    try:
        croniter(value, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)).get_next()
    except (CroniterError, ValueError) as error:
        raise ValueError(f"must be a cron expression of five fields, such as '0 6 * * *' ({error})") from error
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone of the IANA database, such as Europe/London") from error
    return value


def _day(value: object) -> object:
    try:
        is_day = isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)
        day = dt.date.fromisoformat(str(value)) if is_day else None
    except ValueError:
        day = None
    if day is None:
        raise ValueError("must be a day that exists, YYYY-MM-DD")
    if not 1900 <= day.year < 2200:
        raise ValueError("must be a day from 1900 to 2199; no run is scheduled close to the end of the calendar")
    return day


def _connection(value: str, info: ValidationInfo) -> str:
    if info.context is not None and value not in info.context:
        raise ValueError(f"allowed: {', '.join(info.context)}; declare new ones in include/core/settings.py")
    return value


def _path(value: str) -> str:
    if ".." in value.split("/") or "//" in value:
        raise ValueError("must be a path below the connection's host, such as /v1/sales, without .. or //")
    return value


def _pattern(value: str) -> str:
    try:
        portable(value)
    except ValueError as error:
        raise ValueError(f"must be a regular expression that takes linear time; it {error}") from error
    return value


def _rule(value: str, info: ValidationInfo) -> str:
    if "columns" in info.data:
        ColumnRule.parse(value, {name: column.type for name, column in info.data["columns"].items()})
    return value


def _folder(value: str) -> str:
    if ".." in re.split(r"[/\\]", value) or "\0" in value:
        raise ValueError("must be a folder without ..")
    scheme = value.partition("://")[0] if "://" in value else ""
    if scheme not in {"", "file", "s3"}:
        raise ValueError(
            "must be below inbox/ of object storage, such as orders, or an absolute path, file:// or s3://"
        )
    return value


def _file_pattern(value: str) -> str:
    if "{" in DAY_FIELD.sub("", value) or "}" in DAY_FIELD.sub("", value):
        raise ValueError("has braces that aren't {day}, or {day:…} with %Y, %m and %d, such as {day:%Y%m%d}")
    return value


def _encoding(value: str) -> str:
    try:
        "".encode(value)
    except (LookupError, ValueError) as error:
        raise ValueError("must be an encoding of text, such as utf-8, latin-1 or utf-16") from error
    return value


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Lower case, digits and _.")]


class ColumnContract(Strict):
    """A column of the contract."""

    type: Kind
    source: Annotated[Word | None, Field(alias="from", description="Field of the response; default: the name.")] = None
    nullable: Annotated[bool, Field(description="Whether a value may be missing.")] = False
    minimum: Annotated[float | None, Field(allow_inf_nan=False, description="Smallest value; for numbers.")] = None
    maximum: Annotated[float | None, Field(allow_inf_nan=False, description="Largest value; for numbers.")] = None
    allowed: Annotated[tuple[Word, ...], Field(strict=False, description="The only values; for text.")] = ()
    pattern: Annotated[
        Annotated[Word, AfterValidator(_pattern)] | None,
        Field(description="Regular expression that the whole text matches."),
    ] = None
    null_words: Annotated[
        tuple[str, ...], Field(strict=False, description="Values that mean NULL, such as 'N/A'.")
    ] = ()
    ambiguous: Annotated[
        Literal["earlier", "later", "reject"],
        Field(description="How to resolve a local time that occurs twice, when daylight saving time ends."),
    ] = "earlier"
    pii: Annotated[bool, Field(description="Personal data: masked in messages and in quarantine.")] = False
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
    """Limits of one run's extraction."""

    page_size: Annotated[int, Field(ge=1, le=10_000, description="Rows per page.")] = 500
    rows: Annotated[int, Field(ge=1, le=10_000_000, description="Maximum rows per day.")] = 200_000
    megabytes: Annotated[int, Field(ge=1, le=100, description="Maximum size of a response.")] = 5
    deadline: Annotated[int, Field(ge=1, le=3600, description="Seconds for one call, including its retries.")] = 120
    duration: Annotated[int, Field(ge=1, le=3600, description="Seconds after which no page is called.")] = 1800
    calls_per_minute: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="Calls of all workers; the smallest that a source of the connection states. Default: 60.",
        ),
    ] = None


class RecurringContract(Strict):
    """A number that is compared key by key."""

    column: Name
    by: Annotated[tuple[Name, ...], Field(min_length=1, max_length=10, strict=False)]


class HistoryContract(Strict):
    """How each load is compared with the earlier ones, see docs/history.md."""

    recurring: Annotated[
        tuple[RecurringContract, ...],
        Field(max_length=20, strict=False, description="Numbers that recur for the same key, such as prices."),
    ] = ()
    limit: Annotated[
        float, Field(ge=3, le=100, description="Largest accepted deviation, in robust standard deviations.")
    ] = 6.0
    days: Annotated[int, Field(ge=8, le=4000, description="How far a comparable day may be.")] = 60
    ignored: Annotated[tuple[Name, ...], Field(strict=False, description="Columns that aren't compared.")] = ()
    off: Annotated[str, Field(max_length=500, description="Why nothing is compared; default: it is.")] = ""


class Files(Strict):
    """Where a day's file is: a folder or bucket, and the file's name."""

    folder: Annotated[
        Annotated[Word, AfterValidator(_folder), AfterValidator(_file_pattern)],
        Field(
            description="Below inbox/ of object storage; or an absolute path, file:// or s3://, which"
            " SPELLBOOK_SOURCE_FOLDERS must allow. May contain {day}."
        ),
    ]
    name: Annotated[
        Annotated[Word, AfterValidator(_file_pattern), Field(pattern=r"^[^/\\\x00]+$")],
        Field(description="The file's name; {day} is YYYY-MM-DD, {day:%Y%m%d} is 20240601, * any characters."),
    ]
    format: Annotated[Format | None, Field(description="Default: as the file's name says, or its first bytes.")] = None
    encoding: Annotated[
        Annotated[str, AfterValidator(_encoding)] | None,
        Field(description="Of CSV; default: UTF-8, or UTF-16 with a byte-order mark."),
    ] = None
    delimiter: Annotated[
        Literal[",", ";", "\t", "|"] | None, Field(description="Of CSV; default: the one that splits the first lines.")
    ] = None

    @model_validator(mode="after")
    def _has_a_day(self) -> Self:
        if not DAY_FIELD.search(self.folder + self.name):
            raise ValueError("name: must contain {day}, such as orders_{day}.csv, or the folder must")
        if self.name.count("*") > MOST_STARS:
            raise ValueError(f"name: may contain * at most {MOST_STARS} times")
        if self.format not in {None, "csv"} and (self.encoding or self.delimiter):
            raise ValueError(f"encoding and delimiter are for the format csv, not for {self.format}")
        return self


class Source(Strict):
    """A source: its API or files, the contract of its rows, and its schedule."""

    name: Annotated[Name, Field(description="Equals the file's name; the DAG is process_<name>_data.")]
    description: Annotated[str, Field(min_length=10, max_length=500)]
    owner: Word
    schedule: Annotated[str, Field(max_length=100), AfterValidator(_cron), Field(description="Cron, five fields, UTC.")]
    start_date: Annotated[dt.date, BeforeValidator(_day), Field(description="First day to run for.")]
    connection: Annotated[str, AfterValidator(_connection)] = "sources_default"
    path: Annotated[
        Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]+$", max_length=200), AfterValidator(_path)] | None,
        Field(description="Of an API: below the connection's host."),
    ] = None
    api: Annotated[Api, Field(description="How the API is asked and answers.")] = Api()
    files: Annotated[Files | None, Field(description="Instead of path: a file for each day.")] = None
    timezone: Annotated[
        str,
        AfterValidator(_time_zone),
        Field(description="Of the source's days and of times without an offset."),
    ] = "UTC"
    day_column: Annotated[Name | None, Field(description="Column that must lie on the requested day.")] = None
    key: Annotated[
        tuple[Name, ...],
        Field(min_length=1, strict=False, description="Columns that identify a row of a day; 'line': its position."),
    ]
    columns: Annotated[dict[Name, ColumnContract], Field(min_length=1, max_length=200)]
    rules: Annotated[
        tuple[Annotated[Word, AfterValidator(_rule)], ...],
        Field(
            max_length=50,
            strict=False,
            description="Rules that compare a column with another or with a whole number, such as 'closed_at >="
            " created_at' or 'unit_price >= 0 unless invoice_no starts with A'; rows that break one are rejected.",
        ),
    ] = ()
    minimum_rows: Annotated[
        int, Field(ge=0, le=10_000_000, description="Minimum rows per day; 0 if it may have none.")
    ] = 1
    max_bad_share: Annotated[float, Field(ge=0, lt=1, description="Maximum share of invalid rows.")] = 0.0
    freshness: Annotated[
        float | None,
        Field(
            gt=0,
            le=8784,
            allow_inf_nan=False,
            description="Maximum hours between complete loads before an alert; default: no alert.",
        ),
    ] = None
    together: Annotated[
        tuple[Name, ...],
        Field(
            strict=False,
            description="Columns whose rows belong together, such as an invoice's number: an invalid row rejects all of"
            " them and marks the day incomplete. Of type text, integer or date.",
        ),
    ] = ()
    no_data_on: Annotated[
        tuple[Annotated[str, Field(pattern=f"^(?:{EXCEPTION.pattern})$")], ...],
        Field(
            max_length=50,
            strict=False,
            description=f"Days without data, such as {EXCEPTION_HELP}; other days that aren't loaded are reported.",
        ),
    ] = ()
    history: HistoryContract = HistoryContract()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _reads_one_thing(self) -> Self:
        if (self.path is None) == (self.files is None):
            raise ValueError("path, files: must have one of them: path for an API, files for a file each day")
        if self.files and "api" in self.model_fields_set:
            raise ValueError("api: is for an API; remove it, or set path instead of files")
        return self

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        reserved = sorted(set(self.columns) & {*BUILT_IN, *LINEAGE})
        if reserved:
            raise ValueError(f"columns: {', '.join(reserved)} is reserved; choose another name")
        for name in self.key:
            if name not in self.columns and name != "line":
                raise ValueError(f"key: {name!r} isn't one of the columns: {', '.join(self.columns)}, line")
            if name in self.columns and self.columns[name].nullable:
                raise ValueError(f"key: {name!r} may not be nullable")
        for name in self.together:
            if name not in self.columns or self.columns[name].type not in GROUPING:
                raise ValueError(f"together: {name!r} isn't a column of the types {', '.join(GROUPING)}")
        if len(set(self.key)) < len(self.key):
            raise ValueError("key: a column is repeated")
        if self.day_column is not None:
            if self.day_column not in self.columns:
                raise ValueError(f"day_column: {self.day_column!r} isn't one of the columns: {', '.join(self.columns)}")
            if self.columns[self.day_column].type not in {"date", "timestamp"}:
                raise ValueError(f"day_column: {self.day_column!r} must be a date or a timestamp")
        compared = {name for item in self.history.recurring for name in (item.column, *item.by)}
        for name in sorted({*compared, *self.history.ignored} - set(self.columns)):
            raise ValueError(f"history: {name!r} isn't one of the columns: {', '.join(self.columns)}")
        for item in self.history.recurring:
            column = self.columns[item.column]
            if column.type not in RANGED or column.pii or item.column in item.by:
                raise ValueError(f"history: {item.column!r} must be a number without personal data, and not in its by")
        return self

    @property
    def dag_id(self) -> str:
        """``process_<name>_data``."""
        return f"process_{self.name}_data"

    @property
    def table(self) -> str:
        """Name of the published table and asset: ``<name>_data``."""
        return f"{self.name}_data"

    @property
    def zone(self) -> ZoneInfo:
        """The source's time zone."""
        return ZoneInfo(self.timezone)
