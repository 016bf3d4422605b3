"""deploy/helm agrees with the repository's own settings.

Only the chart itself can validate the values: docs/deploy.md has the command.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from devstack.state import REPOSITORY
from include import settings
from include.core.settings import OBJECT_STORAGE, STRICT_MODE

HELM = REPOSITORY / "deploy" / "helm"
OVERLAYS = ("values-kubernetes.yaml", "values-git-sync.yaml")
DOCUMENT = (REPOSITORY / "docs" / "deploy.md").read_text()
SECRET_NAME = re.compile(r"(?i)(SecretName|credentialsSecret|imagePullSecrets|secretKeyRef\.name)$")
IS_SECRET = re.compile(r"(?i)(password|pass|secret|fernetKey|jwt|token|brokerUrl|sshKey)$")


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((HELM / name).read_text())
    return document


VALUES = read("values.yaml")
STRICTER = {("dag_processor", "dag_version_inflation_check_level"): "error"}
SETS = [VALUES["workers"]["celery"], *VALUES["workers"]["celery"].get("sets", [])]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar of a document with its dotted path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def options() -> dict[tuple[str, str], str]:
    config = configparser.ConfigParser(interpolation=None)
    config.read(REPOSITORY / "airflow.cfg")
    return {(section, name): value for section in config.sections() for name, value in config[section].items()}


@pytest.mark.parametrize(("section", "name"), options())
def test_the_chart_has_every_option_of_airflow_cfg(section: str, name: str) -> None:
    expected = STRICTER.get((section, name), options()[section, name])
    value = VALUES["config"].get(section, {}).get(name)
    assert value == expected, f"deploy/helm/values.yaml, config.{section}: write  {name}: {expected!r}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_contradicts_no_option(overlay: str) -> None:
    config = read(overlay).get("config", {})
    assert [(section, name) for section in config for name in config[section] if (section, name) in options()] == []


def test_every_queue_has_workers_scaled_by_that_queue_only() -> None:
    assert {workers["queue"] for workers in SETS} == {queue.name for queue in settings.QUEUES}
    for workers in SETS:
        assert re.findall(r"queue = '(\w+)'", workers["keda"]["query"]) == [workers["queue"]]


def test_workers_may_finish_the_longest_task_before_they_are_stopped() -> None:
    longest = int(options()["core", "default_task_execution_timeout"])
    assert VALUES["workers"]["celery"]["terminationGracePeriodSeconds"] > longest
    assert read("values-kubernetes.yaml")["workers"]["kubernetes"]["terminationGracePeriodSeconds"] > longest


def test_only_our_environment_keys_are_set_and_storage_is_shared() -> None:
    environment = {entry["name"]: entry["value"] for entry in VALUES["env"]}
    assert set(environment) <= {key.name for key in settings.ENVIRONMENT}
    assert environment[STRICT_MODE.name] == "true"
    storage = environment[OBJECT_STORAGE.name]
    assert storage.startswith("s3://")
    assert VALUES["config"]["common.io"]["xcom_objectstorage_path"] == f"{storage}/xcom"


def test_the_document_creates_every_required_connection() -> None:
    needed = [conn for conn in settings.CONNECTIONS if not conn.optional]
    needed += [conn for conn in settings.CONNECTIONS if conn.conn_id == "aws_default"]
    assert [conn.variable for conn in needed if f"--from-literal={conn.variable}=" not in DOCUMENT] == []
    assert VALUES["config"]["logging"]["remote_log_conn_id"] in {conn.conn_id for conn in settings.CONNECTIONS}


@pytest.mark.parametrize("file", ["values.yaml", *OVERLAYS])
def test_secrets_are_referenced_never_included(file: str) -> None:
    for path, value in leaves(read(file)):
        if IS_SECRET.search(path) and not SECRET_NAME.search(path):
            assert value is None, f"{file}: {path}"
        assert not re.search(r"://[^/@\s]*:[^/@\s]+@", str(value)), f"{file}: {path} holds a password"


@pytest.mark.parametrize("file", ["values.yaml", *OVERLAYS])
def test_the_document_creates_every_referenced_secret(file: str) -> None:
    names = {str(value) for path, value in leaves(read(file)) if value and SECRET_NAME.search(path)}
    names |= set(re.findall(r"name: ([\w-]+)", read(file).get("extraEnvFrom", "")))
    assert [name for name in sorted(names) if not re.search(rf"secret \w[\w-]* {name}\b", DOCUMENT)] == []


def test_image_and_chart_have_the_locked_version() -> None:
    locked = re.search(r"^apache-airflow==(\S+)", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    assert locked
    assert VALUES["airflowVersion"] == locked[1]
    assert VALUES["defaultAirflowTag"].startswith(f"{locked[1]}-")


def test_the_document_installs_the_chart_version_of_the_values() -> None:
    version = re.search(r"apache-airflow/airflow (\d+\.\d+\.\d+)", (HELM / "values.yaml").read_text())
    assert version
    assert set(re.findall(r"--version (\S+)", DOCUMENT)) == {version[1]}


def test_metrics_are_sent_to_the_same_exporter_as_in_compose() -> None:
    documents = list(yaml.safe_load_all((HELM / "statsd-exporter.yaml").read_text()))
    deployment, service = documents
    assert VALUES["config"]["metrics"]["statsd_host"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert f"image: {image}\n" in (REPOSITORY / "docker-compose.yaml").read_text()
