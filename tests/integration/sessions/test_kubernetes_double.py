"""The double of the Kubernetes API, called by Kubernetes's own Python client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from devstack.environment import process_environment
from devstack.kubeconfig import BEARER_VARIABLE, kube_config
from devstack.state import REPOSITORY, free_port
from include.domains.sessions.kubernetes import spec

Pod = dict[str, Any]
SPACE = "spellbook"
BEARER = "a-bearer-for-this-test"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "devstack.kubernetes_double", "--port", str(port), "--directory"]
    command.append(str(tmp_path_factory.mktemp("pods")))
    server = subprocess.Popen(command, cwd=REPOSITORY, env=process_environment() | {BEARER_VARIABLE: BEARER})
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: responds(url))
        yield url
    finally:
        server.terminate()
        server.wait(20)


def responds(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=1).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def core(url: str) -> client.CoreV1Api:
    return connect(url, BEARER)


def connect(url: str, bearer: str) -> client.CoreV1Api:
    configuration = client.Configuration()
    config.load_kube_config_from_dict(json.loads(kube_config(url, bearer)), client_configuration=configuration)
    return client.CoreV1Api(client.ApiClient(configuration))


def wait_for(condition: Callable[[], Any], patience: float = 60) -> Any:
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return value


@contextmanager
def running(core: client.CoreV1Api, name: str, code: str, **container: Any) -> Iterator[str]:
    pod = spec.from_template(str(REPOSITORY / "include/domains/sessions/kubernetes/pod.yaml"), "spellbook:1.0.0")
    pod["metadata"]["name"] = name
    pod["metadata"]["labels"] = {"test": name}
    pod["spec"]["activeDeadlineSeconds"] = container.pop("deadline", 60)
    pod["spec"]["containers"][0] |= {"command": ["python", "-c", code]} | container
    core.create_namespaced_pod(SPACE, pod)
    try:
        yield name
    finally:
        core.delete_namespaced_pod(name, SPACE)


def phase(core: client.CoreV1Api, name: str) -> str:
    return str(core.read_namespaced_pod(name, SPACE).status.phase)


def log(core: client.CoreV1Api, name: str, *, follow: bool = False) -> str:
    response = core.read_namespaced_pod_log(name, SPACE, follow=follow, _preload_content=False)
    warning, _, text = response.data.decode().partition("\n")
    assert "not Kubernetes" in warning
    return str(text)


def ended(core: client.CoreV1Api, name: str) -> client.V1ContainerStateTerminated:
    def look() -> client.V1ContainerStateTerminated | None:
        return core.read_namespaced_pod(name, SPACE).status.container_statuses[0].state.terminated

    return wait_for(look)


def test_the_server_identifies_itself_as_a_double(core: client.CoreV1Api) -> None:
    assert "double" in client.VersionApi(core.api_client).get_code().git_version
    with running(core, "plain", "print('hello')") as name:
        ended(core, name)
        messages = [
            event.message
            for event in core.list_namespaced_event(SPACE, field_selector=f"involvedObject.name={name}").items
        ]
        assert any("not Kubernetes" in message for message in messages)


def test_a_pod_succeeds_and_its_log_is_followed(core: client.CoreV1Api) -> None:
    with running(core, "good", "import time\nfor i in range(3): print(i, flush=True); time.sleep(0.1)") as name:
        assert log(core, name, follow=True).split() == ["0", "1", "2"]
        assert ended(core, name).exit_code == 0
        assert phase(core, name) == "Succeeded"


def test_a_pod_fails_with_the_end_of_its_log(core: client.CoreV1Api) -> None:
    with running(core, "bad", "raise SystemExit('broken')", terminationMessagePolicy="FallbackToLogsOnError") as name:
        state = ended(core, name)
        assert (state.exit_code, state.message.splitlines()[-1]) == (1, "broken")
        assert phase(core, name) == "Failed"


def test_deletion_ends_the_command(core: client.CoreV1Api, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(600)"
    with running(core, "long", code) as name:
        pid = int(wait_for(lambda: mark.exists() and mark.read_text()))
        assert phase(core, name) == "Running"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ApiException) as refused:
        core.read_namespaced_pod(name, SPACE)
    assert refused.value.status == 404


def test_the_deadline_ends_the_command(core: client.CoreV1Api) -> None:
    with running(core, "late", "import time; time.sleep(600)", deadline=1) as name:
        ended(core, name)
        pod = core.read_namespaced_pod(name, SPACE)
        assert (pod.status.phase, pod.status.reason) == ("Failed", "DeadlineExceeded")


def test_secrets_are_resolved_by_name(core: client.CoreV1Api) -> None:
    core.create_namespaced_secret(
        SPACE, client.V1Secret(metadata=client.V1ObjectMeta(name="a-secret"), string_data={"word": "open"})
    )
    env = [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "a-secret", "key": "word"}}}]
    with running(core, "knows", "import os; print(os.environ['WORD'][::-1])", env=env) as name:
        ended(core, name)
        assert log(core, name).strip() == "nepo"
    env[0]["valueFrom"] = {"secretKeyRef": {"name": "a-secret", "key": "other"}}
    with running(core, "waits", "print()", env=env) as name:
        waiting = core.read_namespaced_pod(name, SPACE).status.container_statuses[0].state.waiting
        assert (phase(core, name), waiting.reason) == ("Pending", "CreateContainerConfigError")
        assert "key other in Secret a-secret" in waiting.message


def test_pods_are_labelled_and_selected_by_label(core: client.CoreV1Api) -> None:
    with running(core, "marked", "print()") as name:
        core.patch_namespaced_pod(name, SPACE, {"metadata": {"labels": {"already_checked": "True"}}})
        for selector, number in (("test=marked", 1), ("test=marked,already_checked!=True", 0), ("already_checked", 1)):
            assert len(core.list_namespaced_pod(SPACE, label_selector=selector).items) == number
        assert not core.list_namespaced_pod("elsewhere").items


def test_a_watch_reports_the_phases_of_a_pod(core: client.CoreV1Api) -> None:
    phases: list[str] = []
    with running(core, "watched", "print()") as name:
        for event in watch.Watch().stream(core.list_namespaced_pod, SPACE, label_selector=f"test={name}"):
            phases.append(event["object"].status.phase)
            if phases[-1] == "Succeeded":
                break
    assert phases


def test_invalid_requests_are_refused(core: client.CoreV1Api, url: str) -> None:
    with running(core, "twice", "print()") as name, pytest.raises(ApiException) as refused:
        core.create_namespaced_pod(SPACE, core.read_namespaced_pod(name, SPACE))
    assert (refused.value.status, json.loads(refused.value.body)["reason"]) == (409, "AlreadyExists")
    changes: list[dict[str, list[str]]] = [{"comand": ["x"]}, {"command": []}]
    for change in changes:
        pod = yaml.safe_load((REPOSITORY / "include/domains/sessions/kubernetes/pod.yaml").read_text())
        pod["metadata"]["name"] = "wrong"
        pod["spec"]["containers"][0] |= change
        with pytest.raises(ApiException) as refused:
            core.create_namespaced_pod(SPACE, pod)
        assert refused.value.status == 422
    with pytest.raises(ApiException) as refused:
        connect(url, "another").list_namespaced_pod(SPACE)
    assert refused.value.status == 401
