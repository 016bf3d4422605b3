"""The service behind each declared connection in the Compose stack, if it is running.

The services of a profile are found by their names in the stack's network, so that a connection exists exactly if its
service does. In Airflow, a connection in the environment (``AIRFLOW_CONN_…``) takes precedence over these.
"""

from __future__ import annotations

import socket
from typing import Any

from deploy.compose import secrets
from include.core.ml.tracking_server import PIPELINE
from include.settings import CONNECTIONS

OPEN_METEO = "https://api.open-meteo.com"
SAMPLES = "http://upstreams:8000"
WEBHOOK_PATH = "/services/T00000000/B00000000/{key}"
Fields = dict[str, Any]


def connections() -> dict[str, Fields]:
    """Return the fields of each connection that has a service, by connection id."""
    available: dict[str, Fields] = {
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
        if is_resolvable(service):
            available |= fields
    return available


def _profiles() -> dict[str, dict[str, Fields]]:
    return {
        "upstreams": {
            **{each.conn_id: {"host": SAMPLES} for each in CONNECTIONS if each.service == "upstreams"},
            "weather_default": {
                "host": SAMPLES,
                "extra": {"archive_host": SAMPLES},
                "description": "Recorded weather of the profile demo, not live",
            },
            "sources_default": {"host": SAMPLES, "description": "Recorded data of the profile demo, not live"},
        },
        "s3": {
            "aws_default": {
                "login": "spellbook",
                "password": secrets.read("demo-key"),
                "extra": {
                    "endpoint_url": "http://sagemaker:5000",
                    "service_config": {"s3": {"endpoint_url": "http://s3:8333"}},
                    "region_name": "us-east-1",
                },
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
        "mlflow": {
            "mlflow_default": {
                "host": "http://mlflow:5000",
                "login": PIPELINE,
                "password": secrets.read("mlflow-pipeline-password"),
            }
        },
        "model-server": {"model_server_default": {"host": "http://model-server:8000"}},
    }


def is_resolvable(service: str) -> bool:
    """Tell whether the stack's network resolves a service's name."""
    try:
        socket.getaddrinfo(service, None)
    except socket.gaierror:
        return False
    return True
