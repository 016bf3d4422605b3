"""Every DAG, in every way in which it may be run: kind, first day, last day of a backfill, conf.

`tests/unit/dags` fails for a DAG, or for a way in which it may be run, that has no line here.
"""

from __future__ import annotations

from datetime import date
from typing import Any

Run = tuple[str, date | None, date | None] | tuple[str, date | None, date | None, dict[str, Any]]

MANUAL: Run = ("manual", None, None)
SUNDAY = date(2024, 6, 2)


def scheduled(day: date) -> Run:
    """The run that the schedule has for a day."""
    return ("scheduled", day, None)


def backfill(first: date, last: date | None = None) -> Run:
    """The runs that the schedule has from ``first`` to ``last``, one day if it isn't given."""
    return ("backfill", first, last or first)


QUICK = {"models": ["logistic_regression"], "repeats": 1}
RUNS: dict[str, list[Run]] = {
    "process_sales_data": [MANUAL, scheduled(date(2010, 12, 20)), backfill(date(2010, 12, 20), date(2010, 12, 21))],
    "titanic_ml_pipeline": [("manual", None, None, QUICK), scheduled(SUNDAY)],
    "mlflow_integration": [MANUAL, scheduled(SUNDAY)],
    "process_marketing_data": [MANUAL, scheduled(date(2010, 12, 3)), backfill(date(2010, 12, 2))],
    "process_support_data": [MANUAL, scheduled(date(2025, 3, 9)), backfill(date(2025, 3, 9))],
    "check_sources": [MANUAL, scheduled(SUNDAY)],
    "my_first_spell": [MANUAL, scheduled(SUNDAY), backfill(SUNDAY)],
    "alerts_drain": [MANUAL, scheduled(SUNDAY)],
    "notify_example": [MANUAL, scheduled(date(2024, 6, 3)), backfill(date(2024, 6, 3))],
    "fragile_task": [("manual", None, None, {"fail_times": 1, "minute": 0.02})],
    "weather_data_pipeline": [MANUAL, scheduled(date(2024, 2, 28)), backfill(date(2023, 1, 28))],
    "large_data_handoff": [("manual", None, None, {"rows": 100_000})],
    "maintenance": [MANUAL, scheduled(SUNDAY)],
    "process_finance_data": [MANUAL, scheduled(date(2010, 12, 1)), backfill(date(2010, 12, 1))],
    "analytics_dbt": [MANUAL],
    "analytics_dbt_plain": [MANUAL],
    "long_running_etl": [MANUAL, scheduled(date(2010, 12, 20)), backfill(date(2010, 12, 19), date(2010, 12, 20))],
    "etl_status_checker": [MANUAL, scheduled(date(2010, 12, 21)), backfill(date(2010, 12, 21))],
    "customer_report": [MANUAL, scheduled(date(2010, 12, 20)), backfill(date(2010, 12, 20), date(2010, 12, 21))],
    "retail_monolith": [MANUAL],
    "retail_arrival": [MANUAL, scheduled(date(2010, 12, 21)), backfill(date(2010, 12, 19), date(2010, 12, 20))],
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
    "retail_validate": ["asset"],
    "retail_transform": ["asset"],
    "retail_report": ["asset"],
}
"""Kinds of runs that a test file of their own has: test_asset_run.py."""
