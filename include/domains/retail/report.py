"""The tasks that check, summarise and mail the sales, shared by the DAGs that send the report."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.sql.operators.sql import (
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
    SQLTableCheckOperator,
)
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import task

from include.core.dag import warehouse_uri
from include.core.settings import WAREHOUSE_SCHEMA
from include.domains.retail.settings import RETAIL_MAIL

SCHEMA = WAREHOUSE_SCHEMA.read()
SUMMARY = f"""
SELECT
    coalesce(day::text || coalesce(', replay of ' || min(replayed_from), ''), 'all') AS period,
    sum(invoices)::bigint AS invoices,
    round(sum(revenue), 2)::text AS revenue,
    CASE grouping(day) WHEN 0 THEN
        coalesce((array_agg(country ORDER BY revenue DESC, country) FILTER (WHERE country <> 'United Kingdom'))[1], '')
    ELSE '' END AS strongest_abroad
FROM {SCHEMA}.retail_sales INNER JOIN {SCHEMA}.load_log USING (load_id)
WHERE day = any(%(days)s::date[])
GROUP BY ROLLUP (day)
ORDER BY day NULLS LAST
"""  # noqa: S608  # the deployment's setting
SUBJECT = (
    "Retail sales{% if ti.xcom_pull(task_ids='find_missing') %}, partial{% endif %}:"
    " {{ ti.xcom_pull(task_ids='summarise')[-1][2] }} GBP"
)
MAIL = """
{%- if ti.xcom_pull(task_ids='find_missing') %}
<p>Partial: days are missing in {{ ti.xcom_pull(task_ids='find_missing') | e }}.</p>
{%- endif %}
<p>Sales by day: invoices, GBP with cancellations subtracted, the strongest country abroad.</p>
<table>
{%- for day, invoices, revenue, abroad in ti.xcom_pull(task_ids='summarise') %}
<tr><td>{{ day }}</td><td>{{ invoices }}</td><td>{{ revenue }}</td><td>{{ abroad | e }}</td></tr>
{%- endfor %}
</table>
"""


def check_tasks(conn_id: str) -> list[Any]:
    """Return the tasks that fail if the sales are implausible."""
    return [
        SQLColumnCheckOperator(
            task_id="check_columns",
            conn_id=conn_id,
            table=f"{SCHEMA}.retail_sales",
            column_mapping={"country": {"null_check": {"equal_to": 0}}, "lines": {"min": {"geq_to": 1}}},
        ),
        SQLTableCheckOperator(
            task_id="check_table",
            conn_id=conn_id,
            table=f"{SCHEMA}.retail_sales",
            checks={
                "every_country_has_an_invoice": {"check_statement": "invoices + cancelled >= 1"},
                "less_than_half_is_repeated": {"check_statement": "sum(repeated) * 2 < sum(lines)"},
            },
        ),
    ]


@task
def find_missing(days: list[str], postgres_conn_id: str) -> str:
    """Return which days of the reported period are missing; empty if none is."""
    from include.domains.retail import pipeline

    return pipeline.missing_sales(warehouse_uri(postgres_conn_id), days)


def mail_tasks(days: Any, conn_id: str, smtp_conn_id: str) -> list[Any]:
    """Return the tasks that summarise the sales of ``days`` (a task's result) and mail the summary."""
    return [
        find_missing(days, conn_id),
        SQLExecuteQueryOperator(task_id="summarise", conn_id=conn_id, sql=SUMMARY, parameters={"days": days}),
        EmailOperator(
            task_id="mail",
            conn_id=smtp_conn_id,
            to=RETAIL_MAIL.read(),
            subject=SUBJECT,
            html_content=MAIL,
        ),
    ]
