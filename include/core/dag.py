"""Helpers for DAG files: common params, run types, object storage and the warehouse."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection, ObjectStoragePath, Param
from airflow.sdk.exceptions import AirflowSkipException

from include.core.connections import find_connection
from include.core.dates import day_of
from include.core.errors import PermanentError
from include.core.settings import OBJECT_STORAGE
from include.core.warehouse.attempt import ACCEPT_LENGTH

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from include.core.warehouse.attempt import Attempt

log = logging.getLogger(__name__)

NOT_BACKFILLED: Any = ("manual", "scheduled")
"""``allowed_run_types`` of a DAG that acts on the current state, so that backfilling is pointless.

Airflow's enum isn't public, so these are the names.
"""


PREVIEW = {
    "preview": Param(
        False,
        type="boolean",
        description="Show what the run would add, change and remove in its table, and write nothing.",
    )
}
"""Param of a DAG whose loads are in a :func:`publication`."""


def day_param(description: str = "YYYY-MM-DD instead of the run's day.") -> Param:
    """Return the parameter ``day``: one day, instead of that of the run's data interval."""
    return Param(None, type=["null", "string"], format="date", description=description)


def accept_param() -> Param:
    """Return the parameter ``accept``, for a DAG that loads a dataset: see ``docs/history.md``."""
    shortest, longest = ACCEPT_LENGTH
    return Param(
        None,
        type=["null", "string"],
        minLength=shortest,
        maxLength=longest,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Publish rows that differ from the dataset's history, for this reason; logged.",
    )


def run_day(context: Mapping[str, Any]) -> dt.date:
    """Return the UTC day that a task's run is about: its param ``day``, else see :func:`include.core.dates.day_of`."""
    run = context["dag_run"]
    return day_of(context["params"].get("day"), run.data_interval_start, run.run_after)


@contextmanager
def publication(context: Mapping[str, Any]) -> Iterator[Attempt]:
    """Yield the attempt with which a task loads; a preview stores its page and ends with the block.

    A skipped task emits no asset event, and the tasks after it are skipped.

    Raises:
        AirflowSkipException: if rows that were requested later have already been published; and at the end of a
            preview, whose page's URL is in the log and in the XCom ``preview``.
    """
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.errors import SupersededError

    attempt = Attempt.from_context(context)
    try:
        yield attempt
    except SupersededError as error:
        raise AirflowSkipException(str(error)) from error
    except PermanentError as error:
        if attempt.previews is not None:
            _store_preview(context, attempt, str(error))
        raise
    if attempt.previews is not None:
        raise AirflowSkipException(f"nothing was written; the preview: {_store_preview(context, attempt, None)}")


def end_preview(context: Mapping[str, Any]) -> None:
    """Skip a task that would also run after a skipped load; a preview publishes no asset event.

    Raises:
        AirflowSkipException: in a preview.
    """
    if context["params"]["preview"]:
        raise AirflowSkipException("a preview publishes nothing")


def _store_preview(context: Mapping[str, Any], attempt: Attempt, refused: str | None) -> str:
    from include.core.warehouse.preview.model import RunPreview
    from include.core.warehouse.preview.page import store

    preview = RunPreview.model_validate(attempt.identity | {"refused": refused, "loads": attempt.previews})
    url = store(preview, storage_root())
    context["ti"].xcom_push(key="preview", value=url)
    log.info("preview: %s", url)
    return url


def storage_root() -> ObjectStoragePath:
    """Return the root of object storage, below which every DAG keeps its files."""
    return ObjectStoragePath(OBJECT_STORAGE.read())


def warehouse_uri(conn_id: str) -> str:
    """Return the URI of a PostgreSQL connection, for :func:`include.core.warehouse.connect.connect`.

    Raises:
        AirflowNotFoundException: if there is no such connection.
    """
    return str(Connection.get(conn_id).get_uri())


def connection_or_skip(conn_id: str) -> Connection:
    """Return a connection that not every deployment has.

    Raises:
        AirflowSkipException: if there is none of this name.
        UnreadableConnectionError: if Airflow can't tell; the task is retried.
    """
    connection = find_connection(conn_id)
    if connection is None:
        raise AirflowSkipException(f"connection {conn_id!r} isn't configured; task skipped")
    return connection
