"""The plugin that Airflow loads at the start of each process; it registers the classes of ``spellbook``."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from include.ops.alerts.deadline import RunQueued
from spellbook import listener
from spellbook.login_limit import LoginLimit
from spellbook.middleware import GuardedRequests
from spellbook.request_limit import RequestLimit
from spellbook.timetables.month_end import MonthEndTimetable
from spellbook.ui import APPS, VIEWS

LISTENERS: list[object] = [listener]
DEADLINE_REFERENCES: list[Any] = [RunQueued]
TIMETABLES: list[Any] = [MonthEndTimetable]
MIDDLEWARES: list[
    Any
] = [  # the last one is called first: a request that arrives slowly has no turn before it is complete
    {"name": "request limit", "middleware": RequestLimit},
    {"name": "login limit", "middleware": LoginLimit},
    {"name": "guarded requests", "middleware": GuardedRequests},
]


class SpellbookPlugin(AirflowPlugin):
    """Listed under Plugins; connection types are registered through ``plugins/spellbook-1.0.0.dist-info``."""

    name = "spellbook"
    listeners = LISTENERS
    deadline_references = DEADLINE_REFERENCES
    timetables = TIMETABLES
    fastapi_root_middlewares = MIDDLEWARES
    fastapi_apps = APPS
    external_views = VIEWS
