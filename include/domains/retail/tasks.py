"""The param ``days`` and the tasks that resolve it, shared by the retail DAGs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath, Param, task

from include.core.dag import storage_root, warehouse_uri
from include.core.settings import RETAIL
from include.domains.retail.files import LANDED, find, requested_days

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMS = {
    "days": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "format": "date"},
        description="Days such as 2010-12-20; null: the days of the asset events that triggered the run, else all.",
    )
}


def files_of(context: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return ``{"source": URL, "partition": day}`` for each file that a run processes, sorted by day.

    Raises:
        ConfigurationError: if a day is invalid or has no file.
    """
    return find([storage_root() / LANDED, ObjectStoragePath(RETAIL.read())], _requested_days(context))


@task
def find_days(postgres_conn_id: str, **context: Any) -> list[str]:
    """Return the days that this run processes."""
    from include.domains.retail import pipeline

    return pipeline.days_in(warehouse_uri(postgres_conn_id), _requested_days(context))


def _requested_days(context: Mapping[str, Any]) -> list[str] | None:
    events = [event for events in context["triggering_asset_events"].values() for event in events]
    return requested_days(context["params"]["days"], [event.extra for event in events])
