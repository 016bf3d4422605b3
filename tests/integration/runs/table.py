"""Every DAG, in every way in which it may be run: kind, first day, last day of a backfill, conf.

`tests/unit/dags` fails for a DAG, or for a way in which it may be run, that has no line here.
"""

from __future__ import annotations

from datetime import date
from typing import Any

Run = tuple[str, date | None, date | None] | tuple[str, date | None, date | None, dict[str, Any]]

MANUAL: Run = ("manual", None, None)
SUNDAY = date(2024, 6, 2)
LEAP_DAY = date(2024, 2, 29)
TWO_DAYS = (date(2023, 1, 31), date(2023, 2, 1))


def scheduled(day: date) -> Run:
    """The run that the schedule has for a day."""
    return ("scheduled", day, None)


def backfill(first: date, last: date | None = None) -> Run:
    """The runs that the schedule has from ``first`` to ``last``, one day if it isn't given."""
    return ("backfill", first, last or first)


RUNS: dict[str, list[Run]] = {
    "process_sales_data": [MANUAL, scheduled(date(2010, 12, 20)), backfill(date(2010, 12, 20), date(2010, 12, 21))],
    "titanic_ml_pipeline": [scheduled(SUNDAY)],
    "mlflow_integration": [MANUAL, scheduled(SUNDAY)],
    "process_marketing_data": [MANUAL, scheduled(date(2010, 12, 3)), backfill(date(2010, 12, 2))],
    "process_support_data": [MANUAL, scheduled(date(2025, 3, 9)), backfill(date(2025, 3, 9))],
    "check_sources": [MANUAL, scheduled(SUNDAY)],
    "my_first_spell": [MANUAL, scheduled(SUNDAY), backfill(SUNDAY)],
    "alerts_drain": [MANUAL, scheduled(SUNDAY)],
    "notify_example": [scheduled(date(2024, 6, 3)), backfill(date(2024, 6, 3))],
    "fragile_task": [],
    "weather_data_pipeline": [MANUAL, *2 * [scheduled(LEAP_DAY)], *2 * [backfill(*TWO_DAYS)]],
    "large_data_handoff": [("manual", None, None, {"rows": 100_000})],
    "maintenance": [scheduled(SUNDAY)],
    "process_finance_data": [MANUAL, scheduled(date(2010, 12, 1)), backfill(date(2010, 12, 1))],
    "analytics_dbt": [MANUAL],
    "analytics_dbt_plain": [MANUAL],
    "long_running_etl": [MANUAL, scheduled(date(2010, 12, 20)), backfill(date(2010, 12, 19), date(2010, 12, 20))],
    "etl_status_checker": [MANUAL, scheduled(date(2010, 12, 21)), backfill(date(2010, 12, 21))],
    "customer_report": [MANUAL, scheduled(date(2010, 12, 20)), backfill(date(2010, 12, 20), date(2010, 12, 21))],
    "retail_monolith": [],
    "retail_arrival": [scheduled(date(2010, 12, 21)), backfill(date(2010, 12, 19), date(2010, 12, 20))],
    "retail_validate": [MANUAL],
    "retail_transform": [MANUAL],
    "retail_report": [MANUAL],
    "model_monitoring": [MANUAL, scheduled(SUNDAY), backfill(SUNDAY)],
    "sagemaker_deployment": [MANUAL],
    "big_data_spark": [MANUAL],
    "pandas_in_kubernetes": [MANUAL],
}
ELSEWHERE = {
    "analytics_dbt": ["asset"],
    "fragile_task": ["manual"],
    "maintenance": ["manual"],
    "notify_example": ["manual"],
    "retail_arrival": ["manual"],
    "retail_monolith": ["manual"],
    "retail_report": ["asset"],
    "retail_transform": ["asset"],
    "retail_validate": ["asset"],
    "titanic_ml_pipeline": ["manual"],
}
"""Kinds of runs that the other test files in this folder have."""

NEEDS: dict[str, tuple[str, ...]] = {
    "analytics_dbt": ("process_sales_data", "process_marketing_data", "process_support_data", "weather_data_pipeline"),
    "analytics_dbt_plain": ("analytics_dbt",),
    "process_finance_data": ("process_sales_data",),
    "customer_report": ("process_sales_data",),
    "etl_status_checker": ("long_running_etl",),
    "retail_transform": ("retail_validate",),
    "retail_report": ("retail_transform",),
    "model_monitoring": ("titanic_ml_pipeline",),
    "sagemaker_deployment": ("titanic_ml_pipeline",),
}
"""A DAG, and those above it in the table whose runs it needs."""
