"""The pod's template, and which pods are refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import ApiClient

from devstack.state import REPOSITORY
from include.core.errors import ConfigurationError
from include.domains.sessions.kubernetes import spec

TEMPLATE = str(REPOSITORY / "include/domains/sessions/kubernetes/pod.yaml")
IMAGE = "registry.example.com/spellbook:1.0.0"
Pod = dict[str, Any]
POD = spec.from_template(TEMPLATE, IMAGE)


def container(pod: Pod) -> Pod:
    result: Pod = pod["spec"]["containers"][0]
    return result


def test_the_template() -> None:
    spec.check(POD)


def test_the_operator_builds_a_valid_pod() -> None:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    pandas_task = KubernetesPodOperator(
        task_id="pandas_task", name="pandas-task", namespace="spellbook", pod_template_file=TEMPLATE, image=IMAGE
    )
    pod = ApiClient().sanitize_for_serialization(pandas_task.build_pod_request_obj(dry_run=True))
    spec.check(pod)
    base = container(pod)
    assert base["command"] == container(POD)["command"]
    assert base["resources"] == container(POD)["resources"]
    assert base["env"] == container(POD)["env"]
    assert pod["spec"]["automountServiceAccountToken"] is False


BROKEN: list[tuple[Callable[[Pod], Any], str]] = [
    (lambda pod: container(pod).update(image="spellbook"), r"containers\[base\].image: 'spellbook' isn't pinned"),
    (lambda pod: container(pod).update(image="spellbook:latest"), "isn't pinned"),
    (lambda pod: container(pod).update(image="host:5000/spellbook"), "isn't pinned"),
    (lambda pod: container(pod).update(image=None), "isn't pinned"),
    (lambda pod: container(pod).update(resorces={}), r"containers\[0\].resorces: unknown field"),
    (lambda pod: container(pod).update(command="python"), "'python' has type str; expected: list"),
    (lambda pod: container(pod).pop("resources"), "resources.requests.cpu: missing"),
    (lambda pod: container(pod)["resources"]["limits"].update(memory="1 GB"), "limits.memory: 1 GB"),
    (
        lambda pod: container(pod)["env"].append({"name": "API_TOKEN", "value": "x"}),
        r"env\[API_TOKEN\]: contains a secret's",
    ),
    (lambda pod: pod["spec"].update(restartPolicy="Always"), "restartPolicy: must be Never"),
    (lambda pod: pod["spec"].pop("activeDeadlineSeconds"), "activeDeadlineSeconds: must be set"),
    (lambda pod: pod["spec"].update(activeDeadlineSeconds="1h"), "'1h' has type str; expected: int"),
    (lambda pod: pod["spec"].update(activeDeadlineSeconds=True), "expected: int"),
    (lambda pod: pod["spec"].update(containers=[]), "containers: missing"),
]


@pytest.mark.parametrize(("breaks", "words"), BROKEN)
def test_an_invalid_pod_is_refused(breaks: Callable[[Pod], Any], words: str) -> None:
    pod = copy.deepcopy(POD)
    breaks(pod)
    with pytest.raises(ConfigurationError, match=words):
        spec.check(pod)


@pytest.mark.parametrize(
    "image", ["a/b:1", "host:5000/a:2026.1-rc.1", f"a@sha256:{'0' * 64}", f"a:1@sha256:{'0' * 64}"]
)
def test_pinned_images(image: str) -> None:
    spec.check(spec.from_template(TEMPLATE, image))


@pytest.mark.parametrize(("text", "words"), [("a: [", "isn't valid YAML"), ("- a", "must contain one mapping")])
def test_an_invalid_template_is_refused(tmp_path: Any, text: str, words: str) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        spec.from_template(str(file), IMAGE)
