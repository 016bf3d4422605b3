"""What stands behind each declared connection in the Compose stack, as far as it is there.

The services of a profile are found by their names in the stack's network, so that a connection exists exactly if what
it leads to does. One that is given in the environment (``AIRFLOW_CONN_…``) wins over all of this in Airflow itself.
"""

from __future__ import annotations

import socket
from typing import Any

from deploy.compose import secrets

OPEN_METEO = "https://api.open-meteo.com"
SAMPLES = "http://upstreams:8000"
WEBHOOK_PATH = "/services/T00000000/B00000000/{key}"
Fields = dict[str, Any]


def connections() -> dict[str, Fields]:
    """Return the fields of each connection that leads somewhere, by connection id."""
    found: dict[str, Fields] = {
        "postgres_default": {
            "host": "warehouse",
            "port": 5432,
            "login": "loader",
            "password": secrets.read("loader-password"),
            "schema": "warehouse",
        },
        "weather_default": {"host": OPEN_METEO},
    }
    for service, fields in _profiles().items():
        if is_there(service):
            found |= fields
    return found


def _profiles() -> dict[str, dict[str, Fields]]:
    return {
        "upstreams": {
            "weather_default": {
                "host": SAMPLES,
                "extra": {"archive_host": SAMPLES},
                "description": "Recorded weather of the profile demo, not live",
            },
            "sources_default": {"host": SAMPLES, "description": "Recorded data of the profile demo, not live"},
            "tills_default": {"host": SAMPLES},
            "etl_jobs_default": {"host": SAMPLES},
        },
        "s3": {
            "aws_default": {
                "login": "spellbook",
                "password": secrets.read("demo-key"),
                "extra": {"endpoint_url": "http://s3:5000", "region_name": "us-east-1"},
            }
        },
        "slack": {
            "slack_default": {"password": f"http://slack:8000{WEBHOOK_PATH.format(key=secrets.read('demo-key'))}"}
        },
        "mailpit": {
            "smtp_default": {
                "host": "mailpit",
                "port": 1025,
                "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "spellbook@localhost"},
            }
        },
        "spark-master": {
            "spark_default": {"host": "spark://spark-master", "port": 7077, "extra": {"deploy-mode": "client"}}
        },
        "mlflow": {"mlflow_default": {"host": "http://mlflow:5000"}},
        "model-server": {"model_server_default": {"host": "http://model-server:8000"}},
    }


def is_there(service: str) -> bool:
    """Tell whether the stack's network knows a service by this name."""
    try:
        socket.getaddrinfo(service, None)
    except socket.gaierror:
        return False
    return True
