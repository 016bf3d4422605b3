"""The steps of a source's DAG, callable without Airflow; each takes and gives URLs of files, one for each day."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.core.replay import described, mark, marked
from include.core.sources.dataset import dataset_of
from include.core.sources.errors import PublishGateError
from include.core.sources.rows import split_rows
from include.core.sources.upstream import Login, api_of, rows_of
from include.core.sources.values import PRECISION, SCALE
from include.core.storage import file_name, json_lines, writing
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Rejected, Type
from include.core.warehouse.loader import load as load_partition
from include.core.warehouse.schema import create_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from include.core.sources.model import Source
    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult

log = logging.getLogger(__name__)

SHOWN_REASONS = 5
ARROW: dict[Type, Callable[[], pa.DataType]] = {
    "text": pa.string,
    "bigint": pa.int64,
    "double precision": pa.float64,
    "numeric": lambda: pa.decimal128(PRECISION, SCALE),
    "boolean": pa.bool_,
    "date": pa.date32,
    "timestamp with time zone": lambda: pa.timestamp("us", "UTC"),
}


def extract(
    source: Source, login: Login, warehouse_uri: str, root: File, days: Sequence[dt.date], run_id: str
) -> list[str]:
    """Ask for each day's rows and keep them as they came, one JSON text a line; return the URLs of the files.

    Args:
        source: what to ask.
        login: the connection to the API.
        warehouse_uri: database in which calls are counted, over all workers.
        root: object-storage root; the files are ``sources/<name>/day=YYYY-MM-DD/<run>.raw.jsonl`` under it, beside
            each of sample data one that names the recorded day.
        days: the source's days.
        run_id: DAG run; names the files.

    Raises:
        ConfigurationError: the connection can't be used, or an address may not be called.
        PermanentUpstreamError: the API refuses the request.
        TransientUpstreamError: no usable answer for now.
    """
    api, base = api_of(login, source, warehouse_uri)
    files = []
    for day in days:
        file = root / "sources" / source.name / f"day={day.isoformat()}" / f"{file_name(run_id)}.raw.jsonl"
        found = rows_of(api, base, source, day)
        with writing(file) as target:
            for row in found.rows:
                target.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        mark(file, found.replayed_from)
        files.append(str(file))
    return files


def process(source: Source, raw: Sequence[File]) -> list[str]:
    """Check each file's rows against the contract; write good ones (Parquet) and bad ones (JSON lines) beside it."""
    dataset = dataset_of(source)
    schema = pa.schema([(column.name, ARROW[column.type]()) for column in dataset.columns])
    for file in raw:
        with file.open("rb") as lines:
            good, rejected = split_rows(source, _day_of(file), lines, str(file))
        with writing(_beside(file, "good.parquet")) as target:
            pq.write_table(pa.Table.from_pylist(good, schema), target)
        with writing(_beside(file, "bad.jsonl")) as target:
            target.write(json_lines({"row": each.row, "reason": each.reason} for each in rejected))
        log.info("source %s, %s: %d row(s) good, %d bad", source.name, _day_of(file), len(good), len(rejected))
    return [str(file) for file in raw]


def check(source: Source, raw: Sequence[File]) -> None:
    """Refuse to publish a day of which too many rows are bad.

    Raises:
        PublishGateError: naming the days, the share, the most frequent reasons, and where the bad rows lie.
    """
    problems = []
    for file in raw:
        bad = _rejected(file)
        with _beside(file, "good.parquet").open("rb") as good:
            total = len(bad) + pq.read_metadata(good).num_rows
        if len(bad) > source.max_bad_share * total:
            reasons = Counter(reason for each in bad for reason in _kinds(each.reason)).most_common(SHOWN_REASONS)
            listed = "".join(f"\n  - {count} x {reason}" for reason, count in reasons)
            problems.append(
                f"source {source.name}, {_day_of(file)}: {len(bad)} of {total} rows are bad, that is"
                f" {len(bad) / total:.1%}; allowed: {source.max_bad_share:.1%} (max_bad_share). Reasons:{listed}\n"
                f"  All of them: {_beside(file, 'bad.jsonl')}. Have the source corrected, or its contract"
                f" ({source.name}.yaml), and run it again; what was loaded before is unchanged."
            )
    if problems:
        raise PublishGateError("\n".join(problems))


def load(source: Source, raw: Sequence[File], warehouse_uri: str, attempt: Attempt) -> list[LoadResult]:
    """Publish each day's good rows, and put its bad ones into quarantine.

    Raises:
        LoadError: the rows break a rule, or a newer attempt has loaded; the days before are loaded.
    """
    dataset = dataset_of(source)
    results = []
    with connect(warehouse_uri, attempt) as session:
        create_table(session, dataset)
        for file in raw:
            with file.open("rb") as lines:
                came = sum(1 for _ in lines)
            replayed_from = marked(file)
            result = load_partition(
                session,
                dataset,
                partition=_day_of(file),
                rows=_good(file),
                attempt=attempt,
                rejected=_rejected(file),
                expected_rows=came,
                tolerance=source.max_bad_share,
                replayed_from=replayed_from,
            )
            log.info(
                "%s of %s: %d in = %d loaded + %d quarantined",
                dataset.name,
                described(result.partition, replayed_from),
                result.rows_in,
                result.loaded,
                result.quarantined,
            )
            results.append(result.require_complete())
    return results


def _good(raw: File) -> Iterator[dict[str, Any]]:
    with _beside(raw, "good.parquet").open("rb") as file:
        for batch in pq.ParquetFile(file).iter_batches():
            yield from batch.to_pylist()


def _rejected(raw: File) -> list[Rejected]:
    return [Rejected(**json.loads(line)) for line in _beside(raw, "bad.jsonl").read_bytes().splitlines()]


def _beside(raw: File, ending: str) -> File:
    return raw.with_name(raw.name.removesuffix("raw.jsonl") + ending)


def _day_of(raw: File) -> dt.date:
    return dt.date.fromisoformat(raw.parent.name.removeprefix("day="))


def _kinds(reason: str) -> list[str]:
    """Return the reasons of one row without what came, so that equal ones count together."""
    return [part.partition(" (got ")[0].partition(" of line ")[0] for part in reason.split("; ")]
