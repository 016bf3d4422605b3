"""The steps of a source's DAG, callable without Airflow; they exchange the URLs of files, one for each day."""

from __future__ import annotations

import datetime as dt
import logging
import shutil
from collections import Counter
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.core import exact_json
from include.core.csv_files.fetch import from_storage
from include.core.formats.compression import decompressed
from include.core.formats.reader import reader_of
from include.core.input_files import allowed, opened
from include.core.replay import describe_day, read_replayed_day, write_replayed_day
from include.core.sources.contract import contract_of
from include.core.sources.dataset import dataset_of
from include.core.sources.day_files import field_of, find
from include.core.sources.errors import PublishGateError
from include.core.sources.rows import judged_rows
from include.core.storage import file_name, json_lines, write, writing
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Rejected, Violation
from include.core.warehouse.load_each import load_each
from include.core.warehouse.loader import load as load_partition
from include.core.warehouse.validation.batch import Judged
from include.core.warehouse.validation.engine import accepted_schema
from include.core.warehouse.validation.validate import validated

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

SHOWN_RULES = 5
LARGEST_FILE = 50_000_000_000
REQUESTED_AT = "requested_at"


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


def extract_files(
    source: Source, root: File, days: Sequence[dt.date], run_id: str, open_path: Callable[[str], File]
) -> list[str]:
    """Copy each day's file to object storage as it is; return the URLs of the copies.

    Args:
        source: source that reads files.
        root: object-storage root; the copies are ``sources/<name>/day=YYYY-MM-DD/<run>.raw.csv`` under it, with the
            file's own suffixes.
        days: the source's days.
        run_id: DAG run; part of the file names.
        open_path: returns the path of a URL.

    Raises:
        ConfigurationError: a folder isn't allowed, or several files match.
        NoFileError: a day's file hasn't arrived.
        ValueError: if the source reads an API.
    """
    if source.files is None:
        raise ValueError(f"source {source.name} reads an API")
    copies = []
    for day in days:
        file = find(source, source.files, day, root, open_path)
        suffix = "".join(PurePath(file.name).suffixes[-2:])
        copy = root / "sources" / source.name / f"day={day.isoformat()}" / f"{file_name(run_id)}.raw{suffix}"
        url = allowed(field_of(source), str(file), root)  # the file may be a link that leads elsewhere
        with opened(url, LARGEST_FILE, open_path) as original, writing(copy) as target:
            shutil.copyfileobj(original, target)
        write_replayed_day(copy, read_replayed_day(file))
        log.info("source %s, %s: %s", source.name, day, file)
        copies.append(str(copy))
    return copies


def process(source: Source, raw: Sequence[File]) -> list[str]:
    """Check each file's rows against the contract; write valid (Parquet) and rejected ones (JSON lines) beside it."""
    for file in raw:
        counts = [0, 0]
        with (
            writing(_beside(file, "good.parquet")) as good,
            writing(_beside(file, "bad.jsonl")) as bad,
            pq.ParquetWriter(good, accepted_schema(dataset_of(source))) as writer,
        ):
            for judged in _judged(source, file):
                writer.write_table(judged.accepted)
                bad.write(json_lines(map(_record, judged.rejected)))
                counts = [counts[0] + judged.accepted.num_rows, counts[1] + len(judged.rejected)]
        log.info("source %s, %s: %d row(s) valid, %d rejected", source.name, _day_of(file), *counts)
    return [str(file) for file in raw]


def check(source: Source, raw: Sequence[File]) -> None:
    """Fail if too many rows of a day are invalid.

    Raises:
        PublishGateError: naming the days, the share, the most frequent reasons, and the files with the rejected rows.
    """
    problems = []
    for file in raw:
        bad, broken = 0, Counter[str]()
        for item in _rejected(file):
            bad += 1
            broken.update(str(violation._replace(value=None, message=None)) for violation in item.violations)
        with _beside(file, "good.parquet").open("rb") as good:
            total = bad + pq.read_metadata(good).num_rows
        if bad > source.max_bad_share * total:
            listed = "".join(f"\n  - {count} x {rule}" for rule, count in broken.most_common(SHOWN_RULES))
            problems.append(
                f"source {source.name}, {_day_of(file)}: {bad} of {total} rows are invalid"
                f" ({bad / total:.1%}); allowed: {source.max_bad_share:.1%} (max_bad_share). Reasons:{listed}\n"
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
        return load_each(lambda file: _load_day(session, source, dataset, file, attempt), raw)


def _load_day(session: Session, source: Source, dataset: Dataset, file: File, attempt: Attempt) -> LoadResult:
    received = None if source.files else sum(1 for _ in _lines(file))
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
        strict=True,
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


def _judged(source: Source, raw: File) -> Iterator[Judged]:
    if source.files is None:
        yield from judged_rows(source, _day_of(raw), partial(_lines, raw), str(raw))
        return
    contract = contract_of(source)
    with from_storage(raw) as file, decompressed(file) as content:
        rows = reader_of(contract, contract.dataset, content, str(raw))
        yield from validated(
            rows.reader,
            contract.dataset,
            _day_of(raw),
            nulls=rows.nulls,
            line_column=contract.line_column,
            file=str(raw),
        )


def _good(raw: File) -> Iterator[Judged]:
    with _beside(raw, "good.parquet").open("rb") as file:
        for batch in pq.ParquetFile(file).iter_batches():
            yield Judged(pa.Table.from_batches([batch]), (), str(raw))


def _record(item: Rejected) -> dict[str, Any]:
    violations = [violation._asdict() for violation in item.violations]
    return item._asdict() | {"row": dict(item.row), "violations": violations}


def _rejected(raw: File) -> Iterator[Rejected]:
    for line in _lines(_beside(raw, "bad.jsonl")):
        item = exact_json.loads(line)
        group = None if item["group"] is None else tuple(item["group"])
        violations = tuple(Violation(**violation) for violation in item["violations"])
        yield Rejected(item["row"], item["reason"], group, item["is_copy"], violations)


def _lines(file: File) -> Iterator[bytes]:
    with file.open("rb") as lines:
        yield from lines


def _beside(raw: File, suffix: str) -> File:
    return raw.with_name(f"{raw.name.rpartition('.raw')[0]}.{suffix}")


def _day_of(raw: File) -> dt.date:
    return dt.date.fromisoformat(raw.parent.name.removeprefix("day="))
