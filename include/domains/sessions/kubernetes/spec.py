"""A pod's specification, checked before anything is asked of a cluster: its fields, and our own rules."""

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
# As distribution/reference has it: a tag is at most 128 word characters, dots and dashes.
PINNED = re.compile(r"\S+(:(?!latest(@|$))[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})")
QUANTITY = re.compile(r"\d+(\.\d+)?(m|[KMGT]i?|k)?")
SENSITIVE = re.compile(r"password|passwd|secret|token|key|conn", re.IGNORECASE)


def from_template(file: str, image: str) -> dict[str, Any]:
    """Read a pod's template and give its containers their image.

    Raises:
        ConfigurationError: if the file isn't the YAML of one object.
    """
    try:
        pod = yaml.safe_load(Path(file).read_text())
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file} is no YAML: {error}") from error
    if not isinstance(pod, dict):
        raise ConfigurationError(f"{file}: must hold one object, a Pod")
    for container in (pod.get("spec") or {}).get("containers") or []:
        container["image"] = image
    return pod


def check(pod: dict[str, Any]) -> None:
    """Refuse a pod that a cluster would refuse, or that breaks our rules.

    Args:
        pod: as it would be sent, in the API's own field names.

    Raises:
        ConfigurationError: with one line for each problem.
    """
    problems = [*field_problems(pod), *rule_problems(pod)]
    if problems:
        raise ConfigurationError("the pod can't be used:\n" + "\n".join(problems))


def field_problems(pod: dict[str, Any]) -> Iterator[str]:
    """Yield each field that the Kubernetes API doesn't know, lacks or wants with another type."""
    yield from _fields(pod, "V1Pod", "pod")
    if not (pod.get("spec") or {}).get("containers"):
        yield "pod.spec.containers: none; a pod has one or more"


def rule_problems(pod: dict[str, Any]) -> Iterator[str]:
    """Yield each of our own rules that a pod breaks."""
    spec = pod.get("spec") or {}
    if spec.get("restartPolicy") != "Never":
        yield "pod.spec.restartPolicy: must be Never; Airflow itself tries again"
    if not spec.get("activeDeadlineSeconds"):
        yield "pod.spec.activeDeadlineSeconds: must be set, so that a pod that was forgotten ends"
    for container in spec.get("containers") or []:
        where = f"pod.spec.containers[{container.get('name')}]"
        if not PINNED.fullmatch(container.get("image") or ""):
            yield f"{where}.image: {container.get('image')!r} isn't pinned; give a version or @sha256:…, not latest"
        yield from _resources(container.get("resources") or {}, f"{where}.resources")
        for variable in container.get("env") or []:
            if variable.get("value") and SENSITIVE.search(variable.get("name", "")):
                yield f"{where}.env[{variable['name']}]: a secret's value; refer to it: valueFrom.secretKeyRef"


def _resources(resources: dict[str, dict[str, str]], where: str) -> Iterator[str]:
    for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        amount = str((resources.get(kind) or {}).get(name, ""))
        if not QUANTITY.fullmatch(amount):
            yield f"{where}.{kind}.{name}: {amount or 'missing'}; give a quantity such as 250m or 512Mi"


def _fields(value: Any, kind: str, where: str) -> Iterator[str]:
    """Compare a value with a type as the client's models write it: ``V1Pod``, ``list[str]``, ``dict[str, str]``."""
    if value is None or kind in {"object", "datetime"}:
        return
    if inner := re.fullmatch(r"list\[(.+)]", kind):
        yield from _wrong(value, list, where) or (
            problem for i, item in enumerate(value) for problem in _fields(item, inner[1], f"{where}[{i}]")
        )
    elif inner := re.fullmatch(r"dict\[str, (.+)]", kind):
        yield from _wrong(value, dict, where) or (
            problem for key, item in value.items() for problem in _fields(item, inner[1], f"{where}.{key}")
        )
    elif kind in PLAIN:
        yield from _wrong(value, PLAIN[kind], where)
    else:
        yield from _wrong(value, dict, where) or _model(value, getattr(models, kind), where)


def _model(value: dict[str, Any], model: Any, where: str) -> Iterator[str]:
    known = {alias: model.openapi_types[name] for name, alias in model.attribute_map.items()}
    for key, item in value.items():
        if key not in known:
            yield f"{where}.{key}: unknown field; there are {', '.join(sorted(known))}"
        else:
            yield from _fields(item, known[key], f"{where}.{key}")


def _wrong(value: Any, wanted: Any, where: str) -> list[str]:
    if isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool):
        return []
    return [
        f"{where}: {value!r} is of type {type(value).__name__}; it must be {getattr(wanted, '__name__', 'a number')}"
    ]
