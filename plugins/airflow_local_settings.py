"""Registers the cluster policies: Airflow imports this module at startup; the policies are in ``include``."""

from __future__ import annotations

from include.policies import dag_policy, task_policy

__all__ = ["dag_policy", "task_policy"]
