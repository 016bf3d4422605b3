"""Loads a CSV file of any size into a table of the warehouse, in constant memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperator, ObjectStoragePath
from typing_extensions import override

from include.core.dag import publication, warehouse_uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from include.core.warehouse.dataset import Dataset

LARGEST_FILE = 50_000_000_000


class CsvToPostgresOperator(BaseOperator):
    """Streams a CSV file with COPY into the dataset's table, following the load contract in ``include/core/warehouse``.

    Invalid rows go into ``quarantine`` with line and reason. Delimiter and gzip are detected. The load of a file that
    is marked as sample data (:mod:`include.core.replay`) is logged as such. The result is
    ``{"rows_in", "loaded", "quarantined", "load_id"}``. A run whose param ``preview`` is true writes nothing; see
    :func:`include.core.dag.publication`.

    Args:
        source: file, as a path, ``file://``, ``s3://conn@bucket/key`` or ``http(s)://`` URL; templated.
        dataset: table, columns and key; the table is created if it doesn't exist.
        postgres_conn_id: connection to the warehouse.
        partition: value of the dataset's partition column for all rows, if it has one; templated.
        rename: column name in the file by column of the dataset, where they differ.
        delimiter: field delimiter; detected by default.
        encoding: text encoding; a byte-order mark is ignored.
        nulls: strings that represent a missing value.
        line_column: column for the row's line number in the file.
        max_bad_share: largest accepted share of rejected rows; above it, the task fails and nothing is published.
        largest_file: maximum size in bytes.
    """

    template_fields: Sequence[str] = ("source", "partition")
    ui_color = "#dbe9f6"

    def __init__(
        self,
        *,
        source: str,
        dataset: Dataset,
        postgres_conn_id: str = "postgres_default",
        partition: str | None = None,
        rename: Mapping[str, str] | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8-sig",
        nulls: Sequence[str] = ("",),
        line_column: str | None = None,
        max_bad_share: float = 0.0,
        largest_file: int = LARGEST_FILE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.dataset = dataset
        self.postgres_conn_id = postgres_conn_id
        self.partition = partition
        self.rename = dict(rename or {})
        self.delimiter = delimiter
        self.encoding = encoding
        self.nulls = tuple(nulls)
        self.line_column = line_column
        self.max_bad_share = max_bad_share
        self.largest_file = largest_file

    @override
    def execute(self, context: Context) -> dict[str, int]:
        """Load the file.

        Raises:
            CsvError: the file isn't valid CSV with the dataset's columns.
            IncompleteLoadError: rows are invalid, and others belong together with them; the rest was loaded.
            LoadError: too many rows are invalid, or the rows violate the contract; nothing was written.
        """
        from include.core.csv_files.load import load_csv
        from include.core.input_files import is_http, opened
        from include.core.replay import describe_day, read_replayed_day
        from include.core.storage import modified_at

        replayed_from, requested_at = None, datetime.now(UTC)
        name = urlsplit(self.source).path  # the rest may hold a password or a signature
        if not is_http(self.source):
            path = ObjectStoragePath(self.source)
            name = str(path)
            replayed_from, requested_at = read_replayed_day(path), modified_at(path)
        source = opened(self.source, self.largest_file, ObjectStoragePath)
        with publication(context) as attempt, source as file:
            result = load_csv(
                file,
                self.dataset,
                warehouse_uri(self.postgres_conn_id),
                attempt,
                partition=self.partition,
                rename=self.rename,
                delimiter=self.delimiter,
                encoding=self.encoding,
                nulls=self.nulls,
                line_column=self.line_column,
                max_bad_share=self.max_bad_share,
                name=name,
                replayed_from=replayed_from,
                requested_at=requested_at,
            )
        result.require_complete()
        counts = {name: getattr(result, name) for name in ("rows_in", "loaded", "quarantined", "load_id")}
        self.log.info("%s: %s", describe_day(self.source, replayed_from), counts)
        return counts
