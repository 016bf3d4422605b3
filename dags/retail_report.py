"""Retail, step 3 of 3: checks the sales and mails a summary.

## What
Fails if the sales are implausible; otherwise summarises them by day and mails the summary.

## Inputs
- asset `retail_sales`, with the updated days in its event
- param `days`; without it and without an event, every day of the table `retail_lines`
- table `retail_sales`; connection `smtp_default`

## Outputs
- a mail to `SPELLBOOK_RETAIL_MAIL`

## On failure
No mail is sent. The check's error names column and value: fix the data, run `retail_transform`. See
`docs/runbooks/retail.md`.
"""

from __future__ import annotations

from airflow.sdk import Asset, chain, dag
from pendulum import datetime

from include.core.tags import Tag
from include.domains.retail import report
from include.domains.retail.tasks import PARAMS, find_days


@dag(
    schedule=[Asset("retail_sales")],
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params=PARAMS,
    default_args={"owner": "retail"},
    tags=[Tag.RETAIL],
    doc_md=__doc__,
)
def retail_report() -> None:
    """Find the days, check, summarise, mail."""
    days = find_days("postgres_default")
    chain(days, report.check_tasks("postgres_default"), *report.mail_tasks(days, "postgres_default", "smtp_default"))


retail_report()
