"""What is demanded of the sales before they are reported, and the report: shared by the DAGs that send it."""

from __future__ import annotations

from typing import Any

SUMMARY = """
SELECT
    coalesce(day::text || coalesce(', replay of ' || min(replayed_from), ''), 'all') AS period,
    sum(invoices)::bigint AS invoices,
    round(sum(revenue), 2)::text AS revenue,
    CASE grouping(day) WHEN 0 THEN
        coalesce((array_agg(country ORDER BY revenue DESC, country) FILTER (WHERE country <> 'United Kingdom'))[1], '')
    ELSE '' END AS strongest_abroad
FROM retail_sales INNER JOIN load_log USING (load_id)
WHERE day = any(%(days)s::date[])
GROUP BY ROLLUP (day)
ORDER BY day NULLS LAST
"""
COLUMNS: dict[str, Any] = {
    "table": "retail_sales",
    "column_mapping": {"country": {"null_check": {"equal_to": 0}}, "lines": {"min": {"geq_to": 1}}},
}
"""Arguments of the column check."""
TABLE: dict[str, Any] = {
    "table": "retail_sales",
    "checks": {
        "every_country_has_an_invoice": {"check_statement": "invoices + cancelled >= 1"},
        "less_than_half_is_repeated": {"check_statement": "sum(repeated) * 2 < sum(lines)"},
    },
}
"""Arguments of the table check."""
MAIL: dict[str, Any] = {
    "subject": "Retail sales: {{ ti.xcom_pull(task_ids='summarise')[-1][2] }} GBP",
    "html_content": """
<p>Sales by day: invoices, GBP with cancellations subtracted, the strongest country abroad.</p>
<table>
{%- for day, invoices, revenue, abroad in ti.xcom_pull(task_ids='summarise') %}
<tr><td>{{ day }}</td><td>{{ invoices }}</td><td>{{ revenue }}</td><td>{{ abroad | e }}</td></tr>
{%- endfor %}
</table>
""",
}
"""Arguments of the mail."""
