"""The steps of ``weather_data_pipeline``, callable without Airflow; they exchange file URLs."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
from typing import TYPE_CHECKING

from include.core.replay import describe_day
from include.core.storage import json_lines, write
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Rejected
from include.core.warehouse.loader import load as load_partition
from include.core.warehouse.schema import create_table as create
from include.domains.weather import storage
from include.domains.weather.cities import load_cities, select_cities
from include.domains.weather.datasets import WEATHER_DATA
from include.domains.weather.observations import RawWeather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult
    from include.domains.weather.client import WeatherClient

log = logging.getLogger(__name__)


def create_table(uri: str) -> None:
    """Create ``weather_data`` if it doesn't exist.

    Raises:
        NotMigratedError: if the warehouse isn't migrated.
        SchemaMismatchError: if the table exists with different columns.
    """
    with connect(uri) as session:
        create(session, WEATHER_DATA)


def extract(
    client: WeatherClient,
    root: File,
    *,
    cities: Sequence[str | dict[str, Any]],
    date: dt.date,
    requested_on: dt.date,
    run_id: str,
) -> str:
    """Request the weather of one UTC day, store the unmodified responses, and return the URL of the file.

    Args:
        client: client of the weather API.
        root: object-storage root.
        cities: names from ``cities.yaml``, or cities as ``{name, latitude, longitude}``.
        date: the UTC day.
        requested_on: the UTC day on which the run started.
        run_id: DAG run, part of the file name.

    Raises:
        ConfigurationError: a city or the date is invalid.
        PermanentUpstreamError: the API rejects the request.
        TransientUpstreamError: no usable response; a retry may succeed.
    """
    raw = client.fetch(select_cities(cities, load_cities()), date, requested_on)
    return write(storage.file_of(root, "raw", date, run_id), raw.model_dump_json(indent=1).encode())


def transform(raw: File) -> str:
    """Write rows (Parquet) and rejected records (JSON lines) beside ``raw``, and return the URL of ``raw``."""
    from include.domains.weather.transform import transform as transform_raw

    frame, rejected = transform_raw(RawWeather.model_validate_json(raw.read_bytes()))
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write(storage.beside(raw, "observations"), buffer.getvalue())
    lines = json_lines({"row": record.row, "reason": record.reason} for record in rejected)
    write(storage.beside(raw, "rejected"), lines)
    log.info("%s: %d row(s) valid, %d rejected", raw, len(frame), len(rejected))
    return str(raw)


def load(raw: File, uri: str, attempt: Attempt) -> LoadResult:
    """Load the rows that :func:`transform` wrote beside ``raw`` and quarantine the rejected records.

    Rows of cities that weren't requested are unchanged. If no record is valid, nothing is published.

    Raises:
        IncompleteLoadError: naming the missing cities; the others are loaded, and the load is marked incomplete.
        LoadError: the rows violate the contract, or a newer attempt has loaded; nothing was written.
    """
    import pandas as pd

    from include.domains.weather.transform import records

    weather = RawWeather.model_validate_json(raw.read_bytes())
    frame = pd.read_parquet(io.BytesIO(storage.beside(raw, "observations").read_bytes()))
    lines = storage.beside(raw, "rejected").read_bytes().splitlines()
    with connect(uri, attempt) as session:
        result = load_partition(
            session,
            WEATHER_DATA,
            partition=weather.date,
            rows=frame,
            attempt=attempt,
            rejected=[Rejected(**json.loads(line)) for line in lines],
            expected=[city.name for city in weather.cities],
            expected_rows=len(records(weather)),
            replace=False,
            replayed_from=weather.replayed_from,
            requested_at=weather.requested_at,
        )
    log.info(
        "weather_data of %s: %d in = %d loaded + %d quarantined",
        describe_day(weather.date, weather.replayed_from),
        result.rows_in,
        result.loaded,
        result.quarantined,
    )
    return result.require_complete()
