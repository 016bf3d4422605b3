"""The page "Data health" in Airflow's web UI.

Every Airflow process imports this package with the plugin: it is free of heavy imports.
"""

from __future__ import annotations

from spellbook.ui.app import PREFIX, LazyApp

APPS = [{"name": "Data health", "app": LazyApp(), "url_prefix": PREFIX}]
VIEWS = [
    {
        "name": "Data health",
        "href": f"{PREFIX.removeprefix('/')}/",  # relative to [api] base_url
        "url_route": "data-health",
        "destination": "nav",
        "category": "browse",
    }
]
