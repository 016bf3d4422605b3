"""Faults injected into real processes of Airflow, its stores and its upstream; the sizes of two of the DAGs."""

SENSORS, TASKS = 10, 18
