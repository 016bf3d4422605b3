"""The steps of ``weather_data_pipeline``, callable without Airflow; each takes and gives references to files."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
from typing import TYPE_CHECKING, Protocol

from include.core.replay import described
from include.core.storage import json_lines, write
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Rejected
from include.core.warehouse.loader import load as load_partition
from include.core.warehouse.schema import create_table as create
from include.domains.weather import storage
from include.domains.weather.cities import City, load_cities, select_cities
from include.domains.weather.datasets import WEATHER_DATA
from include.domains.weather.observations import RawWeather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult

log = logging.getLogger(__name__)


class Api(Protocol):
    """What :func:`extract` needs of a hook."""

    def fetch(self, cities: Sequence[City], date: dt.date, asked_on: dt.date) -> RawWeather:
        """Return what the API answers about one UTC day, asked on the day ``asked_on``."""


def create_table(uri: str) -> None:
    """Create ``weather_data``, and what loads need, where they are missing.

    Raises:
        SchemaMismatchError: if there is a table of that name with other columns.
    """
    with connect(uri) as session:
        create(session, WEATHER_DATA)


def extract(
    api: Api,
    root: File,
    *,
    wanted: Sequence[str | dict[str, Any]],
    date: dt.date,
    asked_on: dt.date,
    run_id: str,
) -> str:
    """Ask for the weather of one UTC day, keep the answers as they came, and return the URL of the file.

    Args:
        api: the hook to ask.
        root: object-storage root.
        wanted: names from ``cities.yaml``, or cities as ``{name, latitude, longitude}``.
        date: the UTC day.
        asked_on: the UTC day on which the run began; tells how old ``date`` is.
        run_id: DAG run; names the file.

    Raises:
        ConfigurationError: a city, the date or the connection can't be used.
        PermanentUpstreamError: the API refuses the request.
        TransientUpstreamError: no usable answer for now.
    """
    raw = api.fetch(select_cities(wanted, load_cities()), date, asked_on)
    return write(storage.file_of(root, "raw", date, run_id), raw.model_dump_json(indent=1).encode())


def transform(raw: File) -> str:
    """Write rows (Parquet) and rejected records (JSON lines) beside ``raw``, and return the URL of ``raw``."""
    from include.domains.weather.transform import transform as transformed

    frame, rejected = transformed(RawWeather.model_validate_json(raw.read_bytes()))
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write(storage.beside(raw, "observations"), buffer.getvalue())
    lines = json_lines({"row": record.row, "reason": record.reason} for record in rejected)
    write(storage.beside(raw, "rejected"), lines)
    log.info("%s: %d row(s) valid, %d rejected", raw, len(frame), len(rejected))
    return str(raw)


def load(raw: File, uri: str, attempt: Attempt) -> LoadResult:
    """Publish what :func:`transform` wrote beside ``raw``, and put its rejected records into quarantine.

    Rows of cities that weren't asked for stay as they are. If no record is usable, nothing is published.

    Raises:
        IncompleteLoadError: naming the cities that are missing; the others are loaded, and marked incomplete.
        LoadError: the rows break a rule, or a newer attempt has loaded; nothing was written.
    """
    import pandas as pd

    from include.domains.weather.transform import records

    answered = RawWeather.model_validate_json(raw.read_bytes())
    frame = pd.read_parquet(io.BytesIO(storage.beside(raw, "observations").read_bytes()))
    lines = storage.beside(raw, "rejected").read_bytes().splitlines()
    with connect(uri, attempt) as session:
        result = load_partition(
            session,
            WEATHER_DATA,
            partition=answered.date,
            rows=frame,
            attempt=attempt,
            rejected=[Rejected(**json.loads(line)) for line in lines],
            expected=[city.name for city in answered.cities],
            expected_rows=len(records(answered)),
            replace=False,
            replayed_from=answered.replayed_from,
        )
    log.info(
        "weather_data of %s: %d in = %d loaded + %d quarantined",
        described(answered.date, answered.replayed_from),
        result.rows_in,
        result.loaded,
        result.quarantined,
    )
    return result.require_complete()
