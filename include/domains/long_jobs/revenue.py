"""Loads the job service's daily revenue into its table, and reads it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load as load_partition
from include.core.warehouse.schema import create_table
from include.domains.long_jobs.datasets import REVENUE

if TYPE_CHECKING:
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult
    from include.domains.long_jobs.service import JobService


def load(service: JobService, job_id: str, day: dt.date, uri: str, attempt: Attempt) -> LoadResult:
    """Publish the result of a job, rows of ``{"date", "rows", "revenue_gbp"}``.

    Args:
        service: the job service.
        job_id: the job, which has finished.
        day: the requested day.
        uri: URI of the warehouse.
        attempt: the loading attempt.

    Raises:
        JobFailedError: the job failed; see :meth:`~include.domains.long_jobs.service.JobService.result` for others.
        LoadError: the rows are of another day or violate the contract; nothing was written.
    """
    job, result = service.job(job_id), service.result(job_id)
    rows = [
        {
            "day": dt.date.fromisoformat(row["date"]),
            "sales_rows": row["rows"],
            "revenue_gbp": format(row["revenue_gbp"], ".2f"),
        }
        for row in result.rows
    ]
    with connect(uri, attempt) as session:
        return load_partition(
            session,
            REVENUE,
            partition=day,
            rows=rows,
            attempt=attempt,
            replayed_from=result.replayed_from,
            requested_at=job.created_at,
        ).require_complete()


def published(uri: str, day: dt.date) -> str:
    """Return a description of a day's published revenue.

    Raises:
        LookupError: if there is none.
    """
    with connect(uri) as session:
        create_table(session, REVENUE)
        row = session.execute(
            "SELECT sales_rows, revenue_gbp, replayed_from FROM etl_daily_revenue JOIN load_log USING (load_id)"
            " WHERE day = %s",
            [day],
        ).fetchone()
    if row is None:
        raise LookupError(f"etl_daily_revenue has no row for {day}: run long_running_etl for that day")
    sample = f" (replay of {row[2]})" if row[2] else ""
    return f"GBP {row[1]} in {row[0]} rows{sample}"
