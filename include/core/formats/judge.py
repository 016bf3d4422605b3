"""Judges a file by the contract of its rows: what is accepted, rejected and refused, and what a load would change."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from include.core.errors import PermanentError, UnreadableError
from include.core.formats.compression import decompressed
from include.core.formats.encoding import first_undecodable
from include.core.formats.reader import reader_of
from include.core.formats.recognise import encoding_of
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import HIDDEN
from include.core.warehouse.history_settings import History
from include.core.warehouse.loader import load
from include.core.warehouse.preview.changes import shortened
from include.core.warehouse.preview.load import rejected_rows
from include.core.warehouse.preview.model import (
    MOST_REJECTED,
    MOST_SAMPLES,
    Changes,
    Counts,
    Preview,
    Refusal,
    RejectedRow,
    Row,
)
from include.core.warehouse.storable import storable_text
from include.core.warehouse.together import split_row
from include.core.warehouse.validation.batch import LINE, Judged
from include.core.warehouse.validation.duplicates import CONTRADICTION, COPY
from include.core.warehouse.validation.validate import validated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.formats.contract import FileContract
    from include.core.warehouse.dataset import Dataset, Partition, Rejected

ATTEMPT = Attempt("spellbook", "preview", "command", 1)
COMMAND_TIMEOUT = 3600.0


def judge(contract: FileContract, file: BinaryIO, name: str, day: dt.date | None, uri: str = "") -> Preview:
    """Judge a file as a load of it would.

    Args:
        contract: the contract of its rows.
        file: its bytes; seekable.
        name: its path or URL, as messages name it.
        day: the day of the rows, if the dataset is partitioned by a day that isn't in the file; without it, neither is
            the day of the rows judged, nor are they compared with published ones.
        uri: the warehouse to compare with; empty for no comparison.

    Raises:
        psycopg.OperationalError: if the warehouse is unavailable.
    """
    judgement = _Judgement(contract, name, None if contract.day_in_file else day)
    changes = None
    try:
        with decompressed(file) as content:
            try:
                judgement.read(content)
            except UnreadableError as error:
                judgement.refuse_unreadable(error, content)
            if uri and judgement.refused is None:
                changes = judgement.compare(content, uri)
    except UnreadableError as error:
        judgement.refuse_unreadable(error)
    except PermanentError as error:
        judgement.refuse(error, "the whole file must be valid")
    return Preview(
        dataset=contract.dataset.name,
        refused=judgement.refused,
        rows=Counts(
            read=judgement.accepted + judgement.rejected, accepted=judgement.accepted, rejected=judgement.rejected
        ),
        rejected=judgement.shown,
        sample=judgement.sample,
        changes=changes,
    )


class _Judgement:
    """What is known of a file so far.

    Attributes:
        dataset: what its rows are judged by: without the partition if its value isn't known.
        repeated: the first row that shares its key with another one.
        groups: the groups with a rejected row, see ``Dataset.together``.
    """

    def __init__(self, contract: FileContract, name: str, day: dt.date | None) -> None:
        self.contract, self.name = contract, storable_text(name)
        self.day: Partition = day
        declared = contract.dataset
        self.dataset = replace(declared, duplicates="reject")  # the copies are named, whatever the load does with them
        if contract.day_in_file or (declared.partition and day is None):
            self.dataset = _without_partition(self.dataset, drop=not contract.day_in_file)
        self.accepted = self.rejected = 0
        self.shown: list[RejectedRow] = []
        self.reason = ""
        self.sample: list[Row] = []
        self.refused: Refusal | None = None
        self.partitions: set[object] = set()
        self.repeated: Rejected | None = None
        self.groups: set[tuple[str, ...]] = set()

    def refuse(self, message: object, rule: str, line: int | None = None, byte: int | None = None) -> None:
        """Refuse the file."""
        self.refused = Refusal(file=self.name, line=line, byte=byte, rule=rule, message=storable_text(str(message)))

    def refuse_unreadable(self, error: UnreadableError, content: BinaryIO | None = None) -> None:
        """Refuse the file because it can't be read; the place is looked for in ``content`` if the error lacks it."""
        line, byte, message = error.line, error.byte, str(error)
        if isinstance(error.__cause__, UnicodeDecodeError) and byte is None and content is not None:
            encoding = self.contract.encoding or encoding_of(content)
            if place := first_undecodable(content, encoding):
                line, byte = place
                name = encoding.removesuffix("-sig")
                message = f"line {line}: byte {byte} isn't {name}; save the file as UTF-8, or say its encoding"
        self.refuse(message, "the whole file must be readable", line, byte)

    def read(self, content: BinaryIO) -> None:
        """Judge all rows, and then the whole file."""
        for judged in self._judged(content, self.dataset, self.day):
            self._add(judged)
        total = self.accepted + self.rejected
        if self.repeated and self.contract.dataset.duplicates == "refuse":
            first = rejected_rows(self.repeated, self.name)[0]
            self.refused = Refusal(**first.model_dump(), message=shortened(self.repeated.reason))
        elif self.rejected > self.contract.max_bad_share * total:
            self._refuse_rows(
                f"{self.rejected} of {total} rows are invalid ({self.rejected / total:.1%}); allowed:"
                f" {self.contract.max_bad_share:.1%}",
            )
        elif total < self.dataset.minimum_rows:
            self.refuse(
                f"{total} row(s) read; at least {self.dataset.minimum_rows} are expected",
                f"at least {self.dataset.minimum_rows} row(s) are expected",
            )
        elif self.groups:
            self._reject_groups(content)
        if self.refused is None and self.contract.check is not None:
            content.seek(0)
            self.contract.check(content.read())

    def compare(self, content: BinaryIO, uri: str) -> Changes | None:
        """Compare the accepted rows with the published ones, if it is known with which."""
        dataset = self.contract.dataset
        partition = self.day
        if dataset.partition is not None and partition is None:
            if len(self.partitions) != 1:
                return None
            [partition] = self.partitions  # type: ignore[assignment]
        attempt = replace(ATTEMPT, previews=[])
        judged = self._judged(content, self.dataset, self.day)
        with connect(uri, attempt, statement_timeout=COMMAND_TIMEOUT) as session:
            load(
                session,
                dataset,
                partition=partition,
                rows=judged,
                attempt=attempt,
                tolerance=self.contract.max_bad_share,
                strict=True,
            )
        return attempt.previews[0].changes if attempt.previews else None

    def _judged(self, content: BinaryIO, dataset: Dataset, partition: Partition) -> Iterator[Judged]:
        contract = self.contract
        content.seek(0)
        rows = reader_of(contract, dataset, content, self.name)
        yield from validated(rows.reader, dataset, partition, nulls=rows.nulls, line_column=contract.line_column)

    def _reject_groups(self, content: BinaryIO) -> None:
        """Judge all rows again, and reject those whose group has a rejected row."""
        self.accepted, self.sample = 0, []
        for judged in self._judged(content, self.dataset, self.day):
            rows = judged.accepted.select([LINE, *self.dataset.together]).to_pylist()
            groups = [self.dataset.group(row) for row in rows]
            split = [
                split_row(self.dataset, {"line": row[LINE]}, group)
                for row, group in zip(rows, groups, strict=True)
                if group in self.groups
            ]
            kept = pa.array([group not in self.groups for group in groups], pa.bool_())
            self._add(Judged(judged.accepted.filter(kept), split))

    def _add(self, judged: Judged) -> None:
        self.accepted += judged.accepted.num_rows
        self.rejected += len(judged.rejected)
        for item in judged.rejected:
            self.reason = self.reason or shortened(item.reason)
            if item.group is not None and not item.is_copy:
                self.groups.add(item.group)
            if any(violation.rule in {COPY, CONTRADICTION} for violation in item.violations):
                self.repeated = self.repeated or item
            if len(self.shown) < MOST_REJECTED:
                self.shown += rejected_rows(item, self.name)[: MOST_REJECTED - len(self.shown)]
        if len(self.sample) < MOST_SAMPLES:
            self.sample += _sample(judged.accepted.slice(0, MOST_SAMPLES - len(self.sample)), self.dataset)
        column = self.contract.dataset.partition
        if self.contract.day_in_file and column is not None and len(self.partitions) < MOST_SAMPLES:
            self.partitions |= set(judged.accepted[column].unique().to_pylist())

    def _refuse_rows(self, message: str) -> None:
        first = self.shown[0]
        place = f"line {first.line}: " if first.line else ""
        self.refused = Refusal(**first.model_dump(), message=f"{message}. The first: {place}{self.reason}")


def _without_partition(dataset: Dataset, *, drop: bool) -> Dataset:
    """Return the dataset as one whose rows may be of any partition, with or without its column."""
    key = tuple(name for name in dataset.key if name != dataset.partition or not drop)
    columns = tuple(column for column in dataset.columns if column.name != dataset.partition or not drop)
    return replace(dataset, columns=columns, key=key, partition=None, day_column=None, history=History())


def _sample(rows: pa.Table, dataset: Dataset) -> Iterator[Row]:
    for row in rows.select(dataset.column_names).to_pylist():
        yield {
            name: HIDDEN if name in dataset.personal and value is not None else exact_text(value)
            for name, value in row.items()
        }


def exact_text(value: object) -> str | None:
    """Return a validated value as text: exact digits, times in UTC as ISO 8601."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return (value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)).isoformat()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)
