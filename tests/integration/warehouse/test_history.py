"""Which load determines the freshness of a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.history import LastLoad, last_loads
from tests.integration.warehouse.cases import WEATHER

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

MONTHS = Dataset("months", (Column("month", "date"),), ("month",), partition="month")
TOTALS = Dataset("totals", (Column("code", "text"),), ("code",))
NOW = datetime(2024, 6, 3, 6, 0, tzinfo=UTC)


def write_load(session: Session, dataset: str, partition: str, hours: float, *, complete: bool = True) -> None:
    """Write a load of ``hours`` ago into ``load_log``."""
    when = NOW - timedelta(hours=hours)
    session.execute(
        "INSERT INTO load_log (dataset, partition_key, dag_id, task_id, run_id, map_index, try_number, rows_in, loaded,"
        " quarantined, changed, removed, complete, missing, digest, started_at, finished_at) VALUES"
        " (%s, %s, 'dag of ' || %s, 'load', 'r', -1, 1, 1, 1, 0, 0, 0, %s, '{}', '', %s, %s)",
        [dataset, partition, dataset, complete, when, when],
    )


def test_the_last_load_is_the_last_complete_one_of_the_newest_day(session: Session) -> None:
    write_load(session, "weather_data", "2024-06-01", 30)
    write_load(session, "weather_data", "2024-06-02", 7)
    write_load(session, "weather_data", "2024-06-02", 6)
    write_load(session, "weather_data", "2024-06-01", 1)
    write_load(session, "weather_data", "2024-06-03", 1, complete=False)
    write_load(session, "months", "2024-05-01", 3)
    write_load(session, "months", "2024-04-01", 2)
    write_load(session, "totals", "all", 5)
    write_load(session, "totals", "all", 4)
    write_load(session, "not_asked_for", "all", 1)
    assert last_loads(session, [WEATHER, MONTHS, TOTALS]) == [
        LastLoad("months", "dag of months", NOW - timedelta(hours=3)),
        LastLoad("totals", "dag of totals", NOW - timedelta(hours=4)),
        LastLoad("weather_data", "dag of weather_data", NOW - timedelta(hours=6)),
    ]


def test_a_table_that_was_never_loaded_completely_has_no_last_load(session: Session) -> None:
    write_load(session, "weather_data", "2024-06-02", 1, complete=False)
    assert not last_loads(session, [WEATHER])
    assert not last_loads(session, [])


def test_an_empty_warehouse_has_no_last_load(warehouse: str) -> None:
    with connect(warehouse) as session:
        assert not last_loads(session, [WEATHER])
