"""The result of a preview, as JSON; its schema is documented in docs/preview.md and stays compatible."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_REJECTED = 100
MOST_SAMPLES = 20

Row = dict[str, str | None]
"""A row by column: exact digits, times in UTC as ISO 8601, NULL as null, personal data masked."""


class Strict(BaseModel):
    """Has no other fields than those declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Refusal(Strict):
    """Why nothing would be loaded; what isn't known, or doesn't apply, is null."""

    file: str | None = None
    line: int | None = None
    byte: Annotated[int | None, Field(description="Offset of the first unreadable byte, from 0.")] = None
    field: str | None = None
    value: str | None = None
    rule: str
    message: str


class Counts(Strict):
    """``read = accepted + rejected``."""

    read: int
    accepted: int
    rejected: int


class RejectedRow(Strict):
    """A rule that a row breaks, so that it would be quarantined; what isn't known is null, personal data is masked."""

    file: str | None
    line: int | None
    field: str | None
    value: str | None
    rule: str


class Changes(Strict):
    """How many published rows a load would add, change and remove."""

    added: int
    changed: int
    removed: int


class Preview(Strict):
    """What a load of some rows would do."""

    dataset: str
    refused: Refusal | None = None
    rows: Counts
    rejected: Annotated[list[RejectedRow], Field(max_length=MOST_REJECTED)]
    sample: Annotated[list[Row], Field(max_length=MOST_SAMPLES, description="The first accepted rows.")]
    changes: Annotated[Changes | None, Field(description="null: not compared with a warehouse.")] = None


class ChangedRow(Strict):
    """A published row before and after the load."""

    old: Row
    new: Row


class Examples(Strict):
    """The first rows, by key, that a load would add, change and remove."""

    added: Annotated[list[Row], Field(max_length=MOST_SAMPLES)]
    changed: Annotated[list[ChangedRow], Field(max_length=MOST_SAMPLES)]
    removed: Annotated[list[Row], Field(max_length=MOST_SAMPLES)]


class LoadPreview(Preview):
    """What a run's load of one partition would do.

    Attributes:
        partition: the partition, as text.
        complete: whether the load would be complete.
        missing: expected values that the rows lack.
        columns: number of changed rows by column, for columns with changes.
        examples: rows that would change.
    """

    partition: str
    complete: bool
    missing: list[str]
    changes: Changes
    columns: dict[str, int]
    examples: Examples


class RunPreview(Strict):
    """What the loads of one task would do; ``refused`` is the error that ended the last of them."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    refused: str | None
    loads: list[LoadPreview]
