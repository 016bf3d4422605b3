"""The steps of a source's DAG, callable without Airflow; they exchange the URLs of files, one for each day."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.core import exact_json
from include.core.replay import describe_day, read_replayed_day, write_replayed_day
from include.core.sources.dataset import dataset_of
from include.core.sources.errors import PublishGateError
from include.core.sources.rows import split_rows
from include.core.sources.values import PRECISION, SCALE
from include.core.storage import file_name, json_lines, write, writing
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Rejected, Type
from include.core.warehouse.load_each import load_each
from include.core.warehouse.loader import load as load_partition
from include.core.warehouse.schema import create_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from include.core.sources.client import SourceClient
    from include.core.sources.model import Source
    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset
    from include.core.warehouse.loader import LoadResult

log = logging.getLogger(__name__)

SHOWN_REASONS = 5
REQUESTED_AT = "requested_at"
ARROW: dict[Type, Callable[[], pa.DataType]] = {
    "text": pa.string,
    "bigint": pa.int64,
    "double precision": pa.float64,
    "numeric": lambda: pa.decimal128(PRECISION, SCALE),
    "boolean": pa.bool_,
    "date": pa.date32,
    "timestamp with time zone": lambda: pa.timestamp("us", "UTC"),
}


def extract(client: SourceClient, root: File, days: Sequence[dt.date], run_id: str) -> list[str]:
    """Fetch each day's rows and store them as received, as JSON lines; return the URLs of the files.

    Args:
        client: of the source's API.
        root: object-storage root; the files are ``sources/<name>/day=YYYY-MM-DD/<run>.raw.jsonl`` under it, with a
            sidecar file that has the time of the request, and for sample data one that names the recorded day.
        days: the source's days.
        run_id: DAG run; part of the file names.

    Raises:
        ForbiddenAddressError: an address may not be called.
        PermanentUpstreamError: the API rejects the request.
        TransientUpstreamError: temporarily no usable response.
    """
    files = []
    for day in days:
        file = root / "sources" / client.source.name / f"day={day.isoformat()}" / f"{file_name(run_id)}.raw.jsonl"
        requested_at = dt.datetime.now(dt.UTC)
        fetched = client.rows(day)
        with writing(file) as target:
            for row in fetched.rows:
                target.write(exact_json.dumps(row).encode("utf-8", "surrogatepass") + b"\n")
        write_replayed_day(file, fetched.replayed_from)
        write(_beside(file, REQUESTED_AT), requested_at.isoformat().encode())
        files.append(str(file))
    return files


def process(source: Source, raw: Sequence[File]) -> list[str]:
    """Check each file's rows against the contract; write valid (Parquet) and rejected ones (JSON lines) beside it."""
    dataset = dataset_of(source)
    schema = pa.schema([(column.name, ARROW[column.type]()) for column in dataset.columns])
    for file in raw:
        with file.open("rb") as lines:
            good, rejected = split_rows(source, _day_of(file), lines, str(file))
        with writing(_beside(file, "good.parquet")) as target:
            pq.write_table(pa.Table.from_pylist(good, schema), target)
        with writing(_beside(file, "bad.jsonl")) as target:
            target.write(json_lines(map(asdict, rejected)))
        log.info("source %s, %s: %d row(s) valid, %d rejected", source.name, _day_of(file), len(good), len(rejected))
    return [str(file) for file in raw]


def check(source: Source, raw: Sequence[File]) -> None:
    """Fail if too many rows of a day are invalid.

    Raises:
        PublishGateError: naming the days, the share, the most frequent reasons, and the files with the rejected rows.
    """
    problems = []
    for file in raw:
        bad = _rejected(file)
        with _beside(file, "good.parquet").open("rb") as good:
            total = len(bad) + pq.read_metadata(good).num_rows
        if len(bad) > source.max_bad_share * total:
            reasons = Counter(reason for item in bad for reason in _reasons(item.reason)).most_common(SHOWN_REASONS)
            listed = "".join(f"\n  - {count} x {reason}" for reason, count in reasons)
            problems.append(
                f"source {source.name}, {_day_of(file)}: {len(bad)} of {total} rows are invalid"
                f" ({len(bad) / total:.1%}); allowed: {source.max_bad_share:.1%} (max_bad_share). Reasons:{listed}\n"
                f"  All rejected rows: {_beside(file, 'bad.jsonl')}. Correct the source or its contract"
                f" ({source.name}.yaml), and rerun; the rows loaded before are unchanged."
            )
    if problems:
        raise PublishGateError("\n".join(problems))


def load(source: Source, raw: Sequence[File], warehouse_uri: str, attempt: Attempt) -> list[LoadResult]:
    """Publish each day's valid rows and quarantine the rejected ones; a superseded day is logged.

    Raises:
        LoadError: the rows break a rule, or a newer attempt has loaded; earlier days are loaded.
        SupersededError: every day is superseded.
    """
    dataset = dataset_of(source)
    with connect(warehouse_uri, attempt) as session:
        create_table(session, dataset)
        return load_each(lambda file: _load_day(session, source, dataset, file, attempt), raw)


def _load_day(session: Session, source: Source, dataset: Dataset, file: File, attempt: Attempt) -> LoadResult:
    with file.open("rb") as lines:
        received = sum(1 for _ in lines)
    replayed_from, requested_at = read_replayed_day(file), _beside(file, REQUESTED_AT)
    result = load_partition(
        session,
        dataset,
        partition=_day_of(file),
        rows=_good(file),
        attempt=attempt,
        rejected=_rejected(file),
        expected_rows=received,
        tolerance=source.max_bad_share,
        replayed_from=replayed_from,
        requested_at=dt.datetime.fromisoformat(requested_at.read_text()) if requested_at.exists() else None,
    )
    log.info(
        "%s of %s: %d in = %d loaded + %d quarantined",
        dataset.name,
        describe_day(result.partition, replayed_from),
        result.rows_in,
        result.loaded,
        result.quarantined,
    )
    return result.require_complete()


def _good(raw: File) -> Iterator[dict[str, Any]]:
    with _beside(raw, "good.parquet").open("rb") as file:
        for batch in pq.ParquetFile(file).iter_batches():
            yield from batch.to_pylist()


def _rejected(raw: File) -> list[Rejected]:
    lines = _beside(raw, "bad.jsonl").read_bytes().splitlines()
    return [_read_rejected(**exact_json.loads(line)) for line in lines]


def _read_rejected(group: list[str] | None = None, **fields: Any) -> Rejected:
    return Rejected(**fields, group=None if group is None else tuple(group))


def _beside(raw: File, suffix: str) -> File:
    return raw.with_name(raw.name.removesuffix("raw.jsonl") + suffix)


def _day_of(raw: File) -> dt.date:
    return dt.date.fromisoformat(raw.parent.name.removeprefix("day="))


def _reasons(reason: str) -> list[str]:
    """Return the reasons of a row without its values, so that equal ones are counted together."""
    return [part.partition(" (got ")[0].partition(" of line ")[0] for part in reason.split("; ")]
