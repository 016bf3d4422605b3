"""Reports each customer's purchases of a day; the sales API is called at most once in six hours for each day.

## What
Gets the day's purchases from the cache, or from the sales API if they aren't cached; aggregates them by customer.

## Inputs
- connection `sources_default`, the contract `include/domains/sources/sales.yaml`
- param `day`; without it the day is the first of the run's data interval, or the day before the trigger
- param `preview`: show what the run would change, and write nothing
- param `refresh`: call the API even if the cache has a fresh response

## Outputs
- table `customer_report(day, customer_id, country, invoices, cancelled, revenue, as_of)`; personal data: customer_id
- asset `customer_report`
- metric `airflow_spellbook_cache_requests{cache="customers", outcome="hit|miss|stale|bypass"}`

## On failure
If the API is unavailable, a cached response up to a day old is used, and `as_of` shows its age. Without one, the task
is retried. If the cache is lost, the data is requested again. See `docs/runbooks/customer_report.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Connection, CronDataIntervalTimetable, ObjectStoragePath, Param, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, accept_param, day_param, publication, run_day, storage_root, warehouse_uri
from include.core.tags import Tag


@dag(
    schedule=CronDataIntervalTimetable("0 7 * * *", timezone="UTC"),
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW
    | {
        "day": day_param(),
        "accept": accept_param(),
        "refresh": Param(False, type="boolean", description="Call the API even if the cache has a fresh response."),
    },
    default_args={"owner": "sales-analytics"},
    tags=[Tag.SOURCE],
    doc_md=__doc__,
)
def customer_report() -> None:
    """Get, publish."""

    @task(pool="source_api")
    def get_customer_data(source_conn_id: str, postgres_conn_id: str, **context: Any) -> dict[str, str]:
        """Get the day's purchases; return the day, the file's URL, and when they were requested."""
        from include.core.cache import Cache
        from include.core.sources.budget import calls_per_minute
        from include.core.sources.client import SourceClient
        from include.core.sources.files import load_source
        from include.core.storage import file_name, write
        from include.domains.customers.data import get_customer_data
        from include.domains.sources import FOLDER
        from spellbook.counters import cache_counter

        run, params = context["dag_run"], context["params"]
        day = run_day(context)
        root = storage_root()
        name = "customers"
        cache = Cache(name, warehouse_uri(postgres_conn_id), root, count=cache_counter(name))
        budget = calls_per_minute(FOLDER, source_conn_id)
        client = SourceClient.of(Connection.get(source_conn_id), load_source(FOLDER / "sales.yaml"), cache.uri, budget)
        purchases = get_customer_data(cache, client, day, refresh=params["refresh"])
        file = root / "customer_report" / f"day={day}" / f"{file_name(run.run_id)}.jsonl"
        return {"day": str(day), "file": write(file, purchases.content), "as_of": purchases.created_at.isoformat()}

    @task(pool="database_access", outlets=[Asset("customer_report")])
    def publish_report(purchases: dict[str, str], postgres_conn_id: str, **context: Any) -> None:
        """Aggregate the purchases by customer and publish them."""
        import datetime as dt

        from include.domains.customers import report

        with publication(context) as attempt:
            report.publish(
                ObjectStoragePath(purchases["file"]).read_bytes(),
                dt.date.fromisoformat(purchases["day"]),
                dt.datetime.fromisoformat(purchases["as_of"]),
                warehouse_uri(postgres_conn_id),
                attempt,
            )

    publish_report(get_customer_data("sources_default", "postgres_default"), "postgres_default")


customer_report()
