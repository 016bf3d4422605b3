"""Provider metadata for Airflow's provider discovery: the connection types and their form fields.

Airflow finds it through the entry point in ``plugins/spellbook-1.0.0.dist-info``. This requires ``plugins/`` in
``PYTHONPATH``, because the API server, which shows the connection form, reads the entry points before the setting
``plugins_folder``. See ``docs/decisions/11-metadata-beside-the-plugins.md``.
"""

from __future__ import annotations

from typing import Any

DEADLINE = {
    "label": "Deadline",
    "description": "Seconds for one call including its retries. Empty: 120.",
    "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider metadata in the format of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "spellbook",
        "name": "Spellbook",
        "description": "Connection types of this repository.",
        "connection-types": [
            {
                "connection-type": "open_meteo",
                "hook-class-name": "spellbook.hooks.weather.OpenMeteoHook",
                "hook-name": "Open-Meteo",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "extra"],
                    "relabeling": {
                        "schema": "Scheme",
                        "host": "Forecast host",
                        "password": "API key (customers only)",
                    },
                    "placeholders": {"schema": "https", "host": "api.open-meteo.com"},
                },
                "conn-fields": {
                    "archive_host": {
                        "label": "Archive host",
                        "description": "URL of the archive API. Empty: the public API, or the host above.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "deadline": DEADLINE,
                },
            },
            {
                "connection-type": "openweathermap",
                "hook-class-name": "spellbook.hooks.weather.OpenWeatherMapHook",
                "hook-name": "OpenWeatherMap",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "extra"],
                    "relabeling": {"schema": "Scheme", "password": "API key"},
                    "placeholders": {"schema": "https", "host": "api.openweathermap.org"},
                },
                "conn-fields": {"deadline": DEADLINE},
            },
            {
                "connection-type": "etl_jobs",
                "hook-class-name": "spellbook.hooks.etl_job.EtlJobHook",
                "hook-name": "ETL jobs",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "extra"],
                    "relabeling": {"schema": "Scheme", "password": "API key"},
                    "placeholders": {"schema": "https", "host": "jobs.example.com"},
                },
            },
        ],
    }
