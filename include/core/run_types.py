"""Which kinds of runs a DAG allows, where not all that its schedule makes possible."""

from __future__ import annotations

from typing import Any

NOT_BACKFILLED: Any = ("manual", "scheduled")
"""For a DAG whose work is about the moment at which it runs, whatever its data interval: a backfill repeats it in vain.

Airflow's own enum of these isn't public; it takes their names.
"""
