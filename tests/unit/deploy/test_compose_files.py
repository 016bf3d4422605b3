"""The content of the Compose files: secrets, published ports, pinned images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import derived
from deploy.compose.health import CHECKS
from deploy.compose.secrets import SECRETS
from devstack.state import REPOSITORY
from include import settings

FILES = ("docker-compose.yaml", "deploy/compose/profiles.yaml", "deploy/monitoring/compose.yaml")
DOCUMENT = (REPOSITORY / "docs" / "compose.md").read_text()
NAMES = [secret.name for secret in SECRETS]
ENVIRONMENT_FILE = (REPOSITORY / ".env.example").read_text()


def services() -> dict[str, dict[str, Any]]:
    services_: dict[str, dict[str, Any]] = {}
    for file in FILES:
        services_ |= yaml.safe_load((REPOSITORY / file).read_text())["services"]
    return services_


SERVICES = services()


def secrets_of(service: str) -> list[str]:
    """Names of the secrets whose volumes a service mounts."""
    mounted = {mount.split(":")[0] for mount in SERVICES[service].get("volumes", ()) if isinstance(mount, str)}
    return [name for name in NAMES if name in mounted]


def documented() -> dict[str, list[str]]:
    """The table of docs/compose.md: which service holds which secret."""
    section = DOCUMENT.split("## Secrets")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \|$", section, re.MULTILINE)
    return {service: NAMES if text == "every one" else text.split(", ") for service, text in rows}


def test_the_document_lists_the_secrets_of_each_service() -> None:
    assert {service: secrets_of(service) for service in SERVICES if secrets_of(service)} == documented()


def test_only_the_job_that_generates_secrets_may_write_them() -> None:
    for service, definition in SERVICES.items():
        for mount in definition.get("volumes", ()):
            if isinstance(mount, str) and mount.split(":")[0] in NAMES and service != "secrets":
                assert mount.endswith(":ro"), (service, mount)


@pytest.mark.parametrize("worker", ["airflow-worker", "airflow-worker-finance"])
def test_a_worker_holds_neither_database_nor_signing_key(worker: str) -> None:
    assert not {"metadata-password", "jwt-secret", "fernet-key", "loader-password"} & set(secrets_of(worker))


def test_only_the_api_server_holds_the_key_that_signs_logins() -> None:
    holders = {service for service in SERVICES if "api-secret-key" in secrets_of(service)}
    assert holders == {"airflow-apiserver", "secrets"}
    assert "api-secret-key" not in (REPOSITORY / "docker-compose.prod.yaml").read_text()


def test_no_secret_has_a_default() -> None:
    environment = SERVICES["secrets"]["environment"]
    for secret in SECRETS:
        assert environment[secret.variable] == f"${{{secret.variable}:-}}"
    text = "".join((REPOSITORY / file).read_text() for file in (*FILES, "deploy/compose/base.yaml", "deploy/demo.env"))
    assert not re.search(r"(?i)(password|secret|token|key)\w*: *(?!cat |/run/)[\"']?[a-z0-9]{4,}", text)


def test_every_secret_has_a_folder_in_the_image() -> None:
    folders = re.search(r"/run/secrets/\{([^}]+)\}", (REPOSITORY / "Dockerfile").read_text())
    assert folders
    assert sorted(re.sub(r"[\\\s]", "", folders[1]).split(",")) == sorted(NAMES)


def test_every_setting_is_in_the_example() -> None:
    text = "".join((REPOSITORY / file).read_text() for file in (*FILES, "deploy/compose/base.yaml"))
    offered = set(re.findall(r"^#(SPELLBOOK_\w+)=", ENVIRONMENT_FILE, re.MULTILINE))
    assert offered == set(re.findall(r"\$\{(SPELLBOOK_\w+)", text))


def test_every_environment_key_reaches_the_containers() -> None:
    base = yaml.safe_load((REPOSITORY / "deploy/compose/base.yaml").read_text())
    environment = base["services"]["airflow"]["environment"]
    passed = {key.name for key in settings.ENVIRONMENT if f"${{{key.name}:-" in environment.get(key.name, "")}
    passed |= set(re.findall(r"^ENV (SPELLBOOK_\w+)=", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE))
    assert passed == {key.name for key in settings.ENVIRONMENT}


def test_generated_files_are_up_to_date() -> None:
    stale = [path for path, text in derived.texts().items() if (REPOSITORY / path).read_text() != text]
    assert stale == [], "run `make fix`"


def test_the_example_sets_nothing() -> None:
    assert [line for line in ENVIRONMENT_FILE.splitlines() if line and not line.startswith("#")] == []


def test_every_image_is_pinned() -> None:
    for service, definition in SERVICES.items():
        if image := definition.get("image"):
            assert re.search(r":v?\d+\.?\d*", image), (service, image)
            assert not image.endswith("latest")


def test_every_queue_has_a_worker() -> None:
    served = {
        queue
        for definition in SERVICES.values()
        if "celery worker" in str(definition.get("command", ""))
        for queue in str(definition["command"]).split("--queues ")[1].split(",")
    }
    assert served == {queue.name for queue in settings.QUEUES}


def test_every_health_check_exists() -> None:
    named = {
        definition["healthcheck"]["test"][-1]
        for definition in SERVICES.values()
        if "deploy.compose.health" in definition.get("healthcheck", {}).get("test", ())
    }
    assert named == set(CHECKS)


def test_the_connections_add_up_to_less_than_the_limit() -> None:
    section = DOCUMENT.split("## Database connections")[1].split("\n## ")[0]
    rows = re.findall(r"^\| .+ \| (\d+) \| (\d+) \| (\d+) \|$", section, re.MULTILINE)
    products = [int(processes) * int(connections) for processes, connections, _ in rows]
    assert products == [int(product) for _, _, product in rows]
    total = re.search(r"^\| all \| +\| +\| (\d+) \|$", section, re.MULTILINE)
    limit = re.search(r"SPELLBOOK_MAX_CONNECTIONS:-(\d+)", Path(REPOSITORY / FILES[0]).read_text())
    assert total
    assert limit
    assert sum(products) == int(total[1]) <= int(limit[1])
