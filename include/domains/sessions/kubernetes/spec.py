"""Validates a pod's specification before it is sent to a cluster: its fields, and this repository's rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from kubernetes.client import models

from include.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float)}
# As in github.com/distribution/reference: a tag is at most 128 word characters, dots and dashes.
PINNED = re.compile(r"\S+(:(?!latest(@|$))[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})")
QUANTITY = re.compile(r"\d+(\.\d+)?(m|[KMGT]i?|k)?")
SENSITIVE = re.compile(r"password|passwd|secret|token|key|conn", re.IGNORECASE)


def from_template(file: str, image: str) -> dict[str, Any]:
    """Read a pod template and set the image of its containers.

    Raises:
        ConfigurationError: if the file isn't a YAML mapping.
    """
    try:
        pod = yaml.safe_load(Path(file).read_text())
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file} isn't valid YAML: {error}") from error
    if not isinstance(pod, dict):
        raise ConfigurationError(f"{file}: must contain one mapping, a Pod")
    for container in (pod.get("spec") or {}).get("containers") or []:
        container["image"] = image
    return pod


def check(pod: dict[str, Any]) -> None:
    """Reject a pod that a cluster would reject, or that violates this repository's rules.

    Args:
        pod: the pod with the API's field names.

    Raises:
        ConfigurationError: with one line for each problem.
    """
    problems = [*field_problems(pod), *rule_problems(pod)]
    if problems:
        raise ConfigurationError("the pod is invalid:\n" + "\n".join(problems))


def field_problems(pod: dict[str, Any]) -> Iterator[str]:
    """Yield each field that is unknown to the Kubernetes API, missing, or of the wrong type."""
    yield from _fields(pod, "V1Pod", "pod")
    if not (pod.get("spec") or {}).get("containers"):
        yield "pod.spec.containers: missing; a pod must have at least one"


def rule_problems(pod: dict[str, Any]) -> Iterator[str]:
    """Yield each violation of this repository's rules."""
    spec = pod.get("spec") or {}
    if spec.get("restartPolicy") != "Never":
        yield "pod.spec.restartPolicy: must be Never; Airflow does the retries"
    if not spec.get("activeDeadlineSeconds"):
        yield "pod.spec.activeDeadlineSeconds: must be set, so that an orphaned pod ends"
    for container in spec.get("containers") or []:
        where = f"pod.spec.containers[{container.get('name')}]"
        if not PINNED.fullmatch(container.get("image") or ""):
            yield f"{where}.image: {container.get('image')!r} isn't pinned; use a version or @sha256:…, not latest"
        yield from _resources(container.get("resources") or {}, f"{where}.resources")
        for variable in container.get("env") or []:
            if variable.get("value") and SENSITIVE.search(variable.get("name", "")):
                yield f"{where}.env[{variable['name']}]: contains a secret's value; use valueFrom.secretKeyRef"


def _resources(resources: dict[str, dict[str, str]], where: str) -> Iterator[str]:
    for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        amount = str((resources.get(kind) or {}).get(name, ""))
        if not QUANTITY.fullmatch(amount):
            yield f"{where}.{kind}.{name}: {amount or 'missing'}; use a quantity such as 250m or 512Mi"


def _fields(value: Any, kind: str, where: str) -> Iterator[str]:
    """Check a value against a type in the client's notation: ``V1Pod``, ``list[str]``, ``dict[str, str]``."""
    if value is None or kind in {"object", "datetime"}:
        return
    if inner := re.fullmatch(r"list\[(.+)]", kind):
        yield from _type_problems(value, list, where) or (
            problem for i, item in enumerate(value) for problem in _fields(item, inner[1], f"{where}[{i}]")
        )
    elif inner := re.fullmatch(r"dict\[str, (.+)]", kind):
        yield from _type_problems(value, dict, where) or (
            problem for key, item in value.items() for problem in _fields(item, inner[1], f"{where}.{key}")
        )
    elif kind in PLAIN:
        yield from _type_problems(value, PLAIN[kind], where)
    else:
        yield from _type_problems(value, dict, where) or _model(value, getattr(models, kind), where)


def _model(value: dict[str, Any], model: Any, where: str) -> Iterator[str]:
    types = {alias: model.openapi_types[name] for name, alias in model.attribute_map.items()}
    for key, item in value.items():
        if key not in types:
            yield f"{where}.{key}: unknown field; allowed: {', '.join(sorted(types))}"
        else:
            yield from _fields(item, types[key], f"{where}.{key}")


def _type_problems(value: Any, expected: Any, where: str) -> list[str]:
    if isinstance(value, expected) and not (isinstance(value, bool) and expected is not bool):
        return []
    return [
        f"{where}: {value!r} has type {type(value).__name__}; expected: {getattr(expected, '__name__', 'a number')}"
    ]
