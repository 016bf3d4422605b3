"""Airflow reads this module at its start; the policies themselves stand in ``include``."""

from __future__ import annotations

from include.policies import dag_policy, task_policy

__all__ = ["dag_policy", "task_policy"]
