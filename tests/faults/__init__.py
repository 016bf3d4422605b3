"""Faults injected into real processes of Airflow, its stores and its upstream; the sizes of the DAGs."""

MODEL = "ledger"  # name of the registered model
SENSORS, TASKS, MANY_TASKS = 10, 18, 200
CALLS, BUDGET_SECONDS, CALLS_A_TASK = 20, 15, 30
