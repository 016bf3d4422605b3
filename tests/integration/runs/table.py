"""How each DAG is run: kind, first day, last day of a backfill, conf.

An unlisted DAG runs manually and, if it has a schedule, as scheduled. A listed one needs an entry for every run type
that it allows.
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
    "alerts_drain": [MANUAL],
    "notify_example": [scheduled(date(2024, 6, 3)), backfill(date(2024, 6, 3))],
    "fragile_task": [],
    "weather_data_pipeline": [MANUAL, *2 * [scheduled(LEAP_DAY)], *2 * [backfill(*TWO_DAYS)]],
    "large_data_handoff": [("manual", None, None, {"rows": 100_000})],
    "maintenance": [scheduled(SUNDAY)],
    "process_finance_data": [scheduled(date(2010, 12, 1)), backfill(date(2010, 12, 1))],
    "analytics_dbt": [MANUAL],
    "analytics_dbt_plain": [MANUAL],
    "long_running_etl": [MANUAL, scheduled(date(2010, 12, 20)), backfill(date(2010, 12, 19), date(2010, 12, 20))],
    "etl_status_checker": [scheduled(date(2010, 12, 21)), backfill(date(2010, 12, 21))],
    "customer_report": [MANUAL, scheduled(date(2010, 12, 20)), backfill(date(2010, 12, 20), date(2010, 12, 21))],
    "retail_monolith": [],
    "retail_arrival": [scheduled(date(2010, 12, 21)), backfill(date(2010, 12, 19), date(2010, 12, 20))],
    "retail_validate": [],
    "retail_transform": [],
    "retail_report": [],
    "model_monitoring": [scheduled(SUNDAY), backfill(SUNDAY)],
    "sagemaker_deployment": [],
    "big_data_spark": [MANUAL],
    "pandas_in_kubernetes": [MANUAL],
}
ELSEWHERE = {
    "alerts_drain": ["asset"],
    "analytics_dbt": ["asset"],
    "etl_status_checker": ["manual"],
    "fragile_task": ["manual"],
    "maintenance": ["manual"],
    "model_monitoring": ["manual"],
    "notify_example": ["manual"],
    "process_finance_data": ["manual"],
    "retail_arrival": ["manual"],
    "retail_monolith": ["manual"],
    "retail_report": ["manual", "asset"],
    "retail_transform": ["manual", "asset"],
    "retail_validate": ["manual", "asset"],
    "sagemaker_deployment": ["manual"],
    "titanic_ml_pipeline": ["manual"],
}
"""Kinds of runs that the other test files in this folder cover."""


def runs_without_a_line(kinds: dict[str, list[str]]) -> dict[str, list[Run]]:
    """Return the runs of the DAGs that have no line; ``kinds`` maps a DAG id to the kinds in which it may be run."""
    return {
        dag_id: [(kind, None, None) for kind in allowed if kind in {"manual", "scheduled"}]
        for dag_id, allowed in kinds.items()
        if dag_id not in RUNS
    }


def wrong_lines(kinds: dict[str, list[str]], runs: dict[str, list[Run]], elsewhere: dict[str, list[str]]) -> list[str]:
    """Return the kinds of runs that a table lacks, and those that its DAGs don't allow."""
    table = "tests/integration/runs/table.py"
    problems = []
    for dag_id, lines in runs.items():
        if dag_id not in kinds:
            problems.append(f"{table}: there is no DAG {dag_id}: remove its line")
            continue
        listed = [line[0] for line in lines] + elsewhere.get(dag_id, [])
        problems += [
            f"{table}: {dag_id} may be run as {kind}: add a line" for kind in kinds[dag_id] if kind not in listed
        ]
        problems += [
            f"{table}: {dag_id} can't be run as {kind}: remove it" for kind in sorted(set(listed) - set(kinds[dag_id]))
        ]
    return problems
