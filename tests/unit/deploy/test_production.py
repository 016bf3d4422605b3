"""docker-compose.prod.yaml, as Compose itself reads it; no engine is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from typing import Any

import pytest

from devstack.state import REPOSITORY

DEVELOPMENT = ("docker-compose.yaml",)
PRODUCTION = (*DEVELOPMENT, "docker-compose.prod.yaml")
REQUIRED = {"SPELLBOOK_IMAGE": "registry.example.com/spellbook:1", "SPELLBOOK_URL": "https://airflow.example.com"}
DAGS = "/opt/airflow/dags"
STRICT = {"SPELLBOOK_STRICT": "true", "AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error"}
OF_THE_PROXY = (
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__FAB__COOKIE_SECURE",
    "AIRFLOW__FAB__ENABLE_PROXY_FIX",
    "FORWARDED_ALLOW_IPS",
)


@cache
def has_compose() -> bool:
    docker = shutil.which("docker")
    command = [docker or "docker", "compose", "version"]
    return bool(docker) and subprocess.run(command, capture_output=True, check=False).returncode == 0


def compose(files: tuple[str, ...], **variables: str) -> subprocess.CompletedProcess[str]:
    """`docker compose config` of every profile; its environment holds only ``variables``, PATH and HOME."""
    if not has_compose():
        pytest.skip("NOT TESTED: docker-compose.prod.yaml needs `docker compose` on PATH (no engine)")
    chosen = [option for file in files for option in ("--file", file)]
    return subprocess.run(
        ["docker", "compose", "--env-file", os.devnull, *chosen, "--profile", "*", "config", "--format", "json"],
        cwd=REPOSITORY,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def resolved_services(files: tuple[str, ...]) -> str:
    """JSON of the services as Compose resolves them."""
    outcome = compose(files, **REQUIRED)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def services(files: tuple[str, ...]) -> dict[str, Any]:
    resolved: dict[str, Any] = json.loads(resolved_services(files))["services"]
    return resolved


def targets(service: dict[str, Any]) -> list[str]:
    return [mount["target"] for mount in service.get("volumes", ())]


def test_no_folder_of_dags_is_mounted() -> None:
    assert any(DAGS in targets(service) for service in services(DEVELOPMENT).values())
    assert [name for name, service in services(PRODUCTION).items() if DAGS in targets(service)] == []


def test_the_configured_image_is_used_and_nothing_is_built() -> None:
    resolved = services(PRODUCTION)
    assert {resolved[name]["image"] for name in resolved if name.startswith("airflow-")} == {
        REQUIRED["SPELLBOOK_IMAGE"]
    }
    assert [name for name in resolved if "build" in resolved[name]] == []


def test_the_api_server_trusts_its_proxy_and_sends_cookies_over_tls_only() -> None:
    api_server = services(PRODUCTION)["airflow-apiserver"]
    assert "--proxy-headers" in api_server["command"]
    assert {api_server["environment"][name] for name in OF_THE_PROXY[1:3]} == {"true"}
    assert {port["host_ip"] for port in api_server["ports"]} == {"127.0.0.1"}


def test_incomplete_and_varying_dags_are_refused() -> None:
    environment = services(PRODUCTION)["airflow-dag-processor"]["environment"]
    assert {name: environment[name] for name in STRICT} == STRICT


def test_production_has_no_other_differences() -> None:
    expected, resolved = services(DEVELOPMENT), services(PRODUCTION)
    for service in expected.values():
        service.pop("build", None)
        if DAGS in targets(service):
            service["volumes"] = [mount for mount in service["volumes"] if mount["target"] != DAGS]
    for both in (expected, resolved):
        both["airflow-apiserver"].pop("command")
        for name in OF_THE_PROXY:
            both["airflow-apiserver"]["environment"].pop(name, None)
        for name in STRICT:
            both["airflow-dag-processor"]["environment"].pop(name, None)
    assert resolved == expected


@pytest.mark.parametrize("missing", REQUIRED)
def test_settings_without_a_default_are_required(missing: str) -> None:
    outcome = compose(PRODUCTION, **{name: value for name, value in REQUIRED.items() if name != missing})
    assert outcome.returncode != 0
    assert f"{missing} is missing a value: set it in .env to the" in outcome.stderr
