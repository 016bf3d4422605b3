"""A pod of the Kubernetes double: one container, whose command runs as a local process."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from devstack.state import REPOSITORY

Item = dict[str, Any]
GRACE = 5.0  # seconds between SIGTERM and SIGKILL
INHERITED = ("PATH", "LANG", "TMPDIR")
_versions = itertools.count(1)


def timestamp() -> str:
    """Return the current time in the API's format."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def matches(labels: dict[str, str], selector: str) -> bool:
    """Tell whether labels match a comma-separated selector of the forms ``a=b``, ``a!=b``, ``a`` and ``!a``."""
    for term in filter(None, selector.split(",")):
        if "!=" in term:
            name, value = term.split("!=", 1)
            matched = labels.get(name) != value
        elif "=" in term:
            name, value = term.replace("==", "=").split("=", 1)
            matched = labels.get(name) == value
        else:
            matched = (term.lstrip("!") in labels) != term.startswith("!")
        if not matched:
            return False
    return True


class Pod:
    """One pod, from its creation to its deletion.

    Attributes:
        labels: those of its metadata, which a patch changes.
        events: its events, as the API returns them.
    """

    def __init__(self, namespace: str, manifest: Item, log: Path) -> None:
        self._namespace, self._manifest, self._log = namespace, manifest, log
        self._metadata: Item = manifest["metadata"] | {"namespace": namespace, "uid": str(uuid4())}
        self._metadata |= {"creationTimestamp": timestamp()}
        self.labels: dict[str, str] = dict(self._metadata.get("labels") or {})
        self.events: list[Item] = []
        self._container: Item = manifest["spec"]["containers"][0]
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting_message = ""
        self._started_at, self._ended_at = 0.0, ""
        self._is_overdue = False

    @staticmethod
    def unsupported(manifest: Item) -> Iterator[str]:
        """Yield an error for each feature of the manifest that the double doesn't support."""
        spec = manifest.get("spec") or {}
        containers = spec.get("containers") or [{}]
        if len(containers) > 1 or spec.get("initContainers"):
            yield "spec.containers: this double of Kubernetes runs one container"
        if not containers[0].get("command"):
            yield "spec.containers[0].command: required, since this double of Kubernetes has no images"

    def start(self, secrets: dict[str, dict[str, str]]) -> None:
        """Resolve the container's environment and start its command; ``secrets`` are those of the namespace."""
        warning = "not Kubernetes: a double of its API runs this pod's command as a local process"
        self._log.write_text(f"{warning}\n")
        self._add_event("Scheduled", warning)
        try:
            variables = dict(self._variables(secrets))
        except LookupError as error:
            self._waiting_message = str(error)
            self._add_event("Failed", f"Error: {error}", kind="Warning")
            return
        command = [*self._container["command"], *(self._container.get("args") or [])]
        command[0] = sys.executable if command[0] == "python" else command[0]
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self._container.get("workingDir") or REPOSITORY,
                env=inherited | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"} | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started_at = time.monotonic()
        self._add_event(
            "Started", f"Started {self._container['name']}; image {self._container.get('image')} is not pulled"
        )

    def stop(self) -> None:
        """Stop the command if it is running."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._add_event("Killing", f"Stopping container {self._container['name']}")

    def label(self, change: dict[str, str | None]) -> None:
        """Set labels; ``None`` removes a label."""
        merged = {**self.labels, **change}
        self.labels = {name: value for name, value in merged.items() if value is not None}

    def lines(self, *, follow: bool) -> Iterator[str]:
        """Yield the command's output lines; with ``follow``, until it ends."""
        with self._log.open(errors="replace") as log:
            while True:
                ended = self._exit_code() is not None or self._process is None
                yield from log
                if ended or not follow:
                    return
                time.sleep(0.1)

    def describe(self) -> Item:
        """Return the pod as the API returns it."""
        code = self._exit_code()
        state: Item
        if self._process is None:
            phase = "Pending"
            state = {"waiting": {"reason": "CreateContainerConfigError", "message": self._waiting_message}}
        elif code is None:
            phase, state = "Running", {"running": {"startedAt": self._metadata["creationTimestamp"]}}
        else:
            phase = "Failed" if code else "Succeeded"
            state = {"terminated": self._terminated(code)}
        status = {
            "name": self._container["name"],
            "state": state,
            "ready": phase == "Running",
            "started": phase == "Running",
            "restartCount": 0,
            "image": self._container.get("image", ""),
            "imageID": "",
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": self._metadata | {"labels": self.labels, "resourceVersion": str(next(_versions))},
            "spec": self._manifest["spec"],
            "status": {
                "phase": phase,
                "startTime": self._metadata["creationTimestamp"],
                "conditions": [{"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [status],
            }
            | ({"reason": "DeadlineExceeded"} if self._is_overdue else {}),
        }

    def _terminated(self, code: int) -> Item:
        tail = self._log.read_text(errors="replace")[-2048:]
        has_message = code and self._container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        return {
            "exitCode": code if code >= 0 else 128 - code,
            "reason": "Error" if code else "Completed",
            "startedAt": self._metadata["creationTimestamp"],
            "finishedAt": self._ended_at,
        } | ({"message": tail} if has_message else {})

    def _exit_code(self) -> int | None:
        """Return the command's exit code, ``None`` while it runs; stop it first if it is past the pod's deadline."""
        if self._process is None:
            return None
        deadline = self._manifest["spec"].get("activeDeadlineSeconds")
        if deadline and self._process.poll() is None and time.monotonic() - self._started_at > deadline:
            self._is_overdue = True
            self.stop()
        code = self._process.poll()
        if code is not None and not self._ended_at:
            self._ended_at = timestamp()
        return code

    def _variables(self, secrets: dict[str, dict[str, str]]) -> Iterator[tuple[str, str]]:
        for variable in self._container.get("env") or []:
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if not reference:
                yield variable["name"], str(variable.get("value") or "")
                continue
            value = secrets.get(reference["name"], {}).get(reference["key"])
            if value is not None:
                yield variable["name"], value
            elif not reference.get("optional"):
                raise LookupError(f"couldn't find key {reference['key']} in Secret {reference['name']}")

    def _add_event(self, reason: str, message: str, kind: str = "Normal") -> None:
        name = f"{self._metadata['name']}.{len(self.events)}"
        version = str(next(_versions))
        involved = {"kind": "Pod", "namespace": self._namespace, "name": self._metadata["name"]}
        self.events.append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": self._namespace, "resourceVersion": version},
                "involvedObject": involved,
                "type": kind,
                "reason": reason,
                "message": message,
                "firstTimestamp": timestamp(),
                "lastTimestamp": timestamp(),
            }
        )
