"""Which services can reach each other: the Compose files' networks; tests/e2e tries it in the running stack."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from devstack.state import REPOSITORY
from tests.unit.deploy.test_compose_files import DOCUMENT, SERVICES

NETWORKS: dict[str, dict[str, Any] | None] = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())[
    "networks"
]
PORTS = {
    "airflow-apiserver": 8080,
    "airflow-scheduler": 8974,
    "alertmanager": 9093,
    "mailpit": 1025,
    "mlflow": 5000,
    "model-server": 8000,
    "node-exporter": 9100,
    "postgres": 5432,
    "postgres-exporter": 9187,
    "prometheus": 9090,
    "redis": 6379,
    "redis-exporter": 9121,
    "s3": 8333,
    "sagemaker": 5000,
    "slack": 8000,
    "spellbook-exporter": 9105,
    "statsd-exporter": 9102,
    "upstreams": 8000,
    "warehouse": 5432,
    "warehouse-postgres-exporter": 9187,
}
"""Servers of the profiles demo, ml and monitoring, with a TCP port."""
SAMPLES = {"mailpit", "s3", "sagemaker", "slack", "upstreams"}
WORKER = {"airflow-apiserver", "mlflow", "model-server", "postgres", "redis", "statsd-exporter", "warehouse"} | SAMPLES
PARSER = {"airflow-apiserver", "model-server", "postgres", "statsd-exporter", "warehouse"} | SAMPLES
REACHED = {
    "airflow-worker": WORKER,
    "airflow-worker-finance": WORKER,
    "airflow-dag-processor": PARSER,
    "airflow-triggerer": PARSER,
    "airflow-apiserver": {"postgres", "s3", "statsd-exporter", "warehouse"},
    "airflow-scheduler": {"airflow-apiserver", "postgres", "redis", "statsd-exporter"},
    "first-fill": {"airflow-apiserver", "mlflow", "model-server", "statsd-exporter"},
    "mlflow": {"model-server", "postgres"},
    "model-server": {"mlflow", "prometheus", "warehouse"},
    "s3": {"airflow-apiserver"} | SAMPLES - {"s3"},
    "slack": SAMPLES - {"slack"},
    "upstreams": SAMPLES - {"upstreams"},
}
"""The servers that a service reaches."""
ONLY_FOR_ITSELF = {"airflow-scheduler"}  # its port listens on 127.0.0.1


def networks_of(service: str) -> set[str]:
    return set(SERVICES[service].get("networks", ()))


@pytest.mark.parametrize("client", REACHED)
def test_a_service_has_a_network_in_common_with_these_servers_only(client: str) -> None:
    in_common = {server for server in PORTS if server != client and networks_of(server) & networks_of(client)}
    assert in_common - ONLY_FOR_ITSELF == REACHED[client]


def test_prometheus_reaches_its_targets() -> None:
    configuration = (REPOSITORY / "deploy/monitoring/prometheus/prometheus.yml").read_text()
    targets = set(re.findall(r"targets: \[([\w-]+):", configuration)) - {"localhost"}
    assert len(targets) > 5
    assert [target for target in targets if not networks_of(target) & networks_of("prometheus")] == []


def test_the_schedulers_port_is_not_in_a_network() -> None:
    assert SERVICES["airflow-scheduler"]["environment"]["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST"] == (
        "127.0.0.1"
    )


def test_every_service_names_its_networks() -> None:
    unnamed = [name for name in SERVICES if not networks_of(name)]
    assert unnamed == ["secrets"]  # network_mode: none
    assert {network for name in SERVICES for network in networks_of(name)} == set(NETWORKS)


def test_only_two_networks_lead_out_of_the_machine_and_every_published_port_is_in_one() -> None:
    outside = {name for name, options in NETWORKS.items() if not (options or {}).get("internal")}
    assert outside == {"default", "monitoring"}
    assert [name for name in SERVICES if SERVICES[name].get("ports") and not networks_of(name) & outside] == []


def test_the_document_lists_the_networks_of_each_service() -> None:
    section = DOCUMENT.split("## Networks")[1].split("\n## ")[0]
    documented = {
        service: set(networks.split(", "))
        for service, networks in re.findall(r"^\| `([\w-]+)` \| (.+) \|$", section, re.MULTILINE)
    }
    assert documented == {name: networks_of(name) for name in SERVICES if networks_of(name)}
