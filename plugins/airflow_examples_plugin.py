"""Registers the plugins that two of Airflow's example DAGs need, so that they run when copied into ``dags/``."""

from __future__ import annotations

from airflow.example_dags.plugins.decreasing_priority_weight_strategy import DecreasingPriorityWeightStrategyPlugin
from airflow.example_dags.plugins.workday import WorkdayTimetablePlugin

__all__ = ["DecreasingPriorityWeightStrategyPlugin", "WorkdayTimetablePlugin"]
