"""deploy/helm against what the repository itself says.

Whether the chart accepts the values, only the chart can say: docs/deploy.md has the command.
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
SECRET_NAME = re.compile(r"(?i)(SecretName|credentialsSecret|imagePullSecrets)$")
IS_SECRET = re.compile(r"(?i)(password|pass|secret|fernetKey|jwt|token|brokerUrl|sshKey)$")


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HELM / name).read_text())
    return found


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
    ours = configparser.ConfigParser(interpolation=None)
    ours.read(REPOSITORY / "airflow.cfg")
    return {(section, name): value for section in ours.sections() for name, value in ours[section].items()}


@pytest.mark.parametrize(("section", "name"), options())
def test_an_option_of_airflow_cfg_is_the_same_in_the_chart_which_replaces_the_file(section: str, name: str) -> None:
    wanted = STRICTER.get((section, name), options()[section, name])
    found = VALUES["config"].get(section, {}).get(name)
    assert found == wanted, f"deploy/helm/values.yaml, config.{section}: write  {name}: {wanted!r}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_contradicts_no_option(overlay: str) -> None:
    config = read(overlay).get("config", {})
    assert [(section, name) for section in config for name in config[section] if (section, name) in options()] == []


def test_every_queue_has_workers_that_are_scaled_by_that_queue_alone() -> None:
    assert {workers["queue"] for workers in SETS} == {queue.name for queue in settings.QUEUES}
    for workers in SETS:
        assert re.findall(r"queue = '(\w+)'", workers["keda"]["query"]) == [workers["queue"]]


def test_workers_may_finish_the_longest_task_before_they_are_ended() -> None:
    longest = int(options()["core", "default_task_execution_timeout"])
    assert VALUES["workers"]["celery"]["terminationGracePeriodSeconds"] > longest
    assert read("values-kubernetes.yaml")["workers"]["kubernetes"]["terminationGracePeriodSeconds"] > longest


def test_only_our_environment_keys_are_given_and_no_pod_keeps_shared_files_to_itself() -> None:
    given = {entry["name"]: entry["value"] for entry in VALUES["env"]}
    assert set(given) <= {key.name for key in settings.ENVIRONMENT}
    assert given[STRICT_MODE.name] == "true"
    storage = given[OBJECT_STORAGE.name]
    assert storage.startswith("s3://")
    assert VALUES["config"]["common.io"]["xcom_objectstorage_path"] == f"{storage}/xcom"


def test_the_document_gives_every_connection_that_is_needed() -> None:
    needed = [connection for connection in settings.CONNECTIONS if not connection.optional]
    needed += [connection for connection in settings.CONNECTIONS if connection.conn_id == "aws_default"]
    assert [each.variable for each in needed if f"--from-literal={each.variable}=" not in DOCUMENT] == []
    assert VALUES["config"]["logging"]["remote_log_conn_id"] in {each.conn_id for each in settings.CONNECTIONS}


@pytest.mark.parametrize("file", ["values.yaml", *OVERLAYS])
def test_secrets_are_named_never_given(file: str) -> None:
    for path, value in leaves(read(file)):
        if IS_SECRET.search(path) and not SECRET_NAME.search(path):
            assert value is None, f"{file}: {path}"
        assert not re.search(r"://[^/@\s]*:[^/@\s]+@", str(value)), f"{file}: {path} holds a password"


@pytest.mark.parametrize("file", ["values.yaml", *OVERLAYS])
def test_the_document_makes_every_secret_that_is_named(file: str) -> None:
    names = {str(value) for path, value in leaves(read(file)) if value and SECRET_NAME.search(path)}
    names |= set(re.findall(r"name: ([\w-]+)", read(file).get("extraEnvFrom", "")))
    assert [name for name in sorted(names) if not re.search(rf"secret \w[\w-]* {name}\b", DOCUMENT)] == []


def test_image_and_chart_agree_with_the_lock_on_the_version() -> None:
    locked = re.search(r"^apache-airflow==(\S+)", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    assert locked
    assert VALUES["airflowVersion"] == locked[1]
    assert VALUES["defaultAirflowTag"].startswith(f"{locked[1]}-")


def test_the_document_installs_the_chart_for_which_the_values_were_written() -> None:
    version = re.search(r"apache-airflow/airflow (\d+\.\d+\.\d+)", (HELM / "values.yaml").read_text())
    assert version
    assert set(re.findall(r"--version (\S+)", DOCUMENT)) == {version[1]}


def test_metrics_go_to_the_exporter_that_is_deployed_as_in_compose() -> None:
    documents = list(yaml.safe_load_all((HELM / "statsd-exporter.yaml").read_text()))
    deployment, service = documents
    assert VALUES["config"]["metrics"]["statsd_host"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert f"image: {image}\n" in (REPOSITORY / "docker-compose.yaml").read_text()
