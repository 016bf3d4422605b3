"""A double of the Kubernetes API, not Kubernetes: it accepts pods and runs their command as a local process.

It implements the API's paths, objects and errors as far as Airflow's Kubernetes client uses them
(https://kubernetes.io/docs/reference/kubernetes-api/). It pulls no image, isolates nothing and limits no memory:
it tests the exchange between Airflow and the API, and the command itself.

``python -m devstack.kubernetes_double --port 8001 --directory pods``
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from devstack.kubeconfig import BEARER_VARIABLE
from devstack.kubernetes_pods import Item, Pod, matches, timestamp
from include.domains.sessions.kubernetes.spec import field_problems

POLL = 0.1  # seconds between two polls of a stream
Json = Annotated[Item, Body()]
Labels = Annotated[str, Query(alias="labelSelector")]
Fields = Annotated[str, Query(alias="fieldSelector")]
Seconds = Annotated[float, Query(alias="timeoutSeconds")]
PODS = "/api/v1/namespaces/{namespace}/pods"


class RefusedError(Exception):
    """A request that the API refuses: HTTP status, the API's reason, and a message."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"} | {
            "code": code,
            "reason": reason,
            "message": message,
        }


class Cluster:
    """Pods, secrets and events, by namespace and name."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._lock = directory, threading.Lock()
        self._pods: dict[tuple[str, str], Pod] = {}
        self._secrets: dict[tuple[str, str], dict[str, str]] = {}

    def create(self, namespace: str, manifest: Item) -> Pod:
        """Create a pod and start its command."""
        name = (manifest.get("metadata") or {}).get("name") or ""
        if problems := [*field_problems(manifest), *Pod.unsupported(manifest)]:
            raise RefusedError(422, "Invalid", f'Pod "{name}" is invalid: {"; ".join(problems)}')
        with self._lock:
            if (namespace, name) in self._pods:
                raise RefusedError(409, "AlreadyExists", f'pods "{name}" already exists')
            pod = Pod(namespace, manifest, self._directory / f"{namespace}-{name}.log")
            pod.start({key[1]: data for key, data in self._secrets.items() if key[0] == namespace})
            self._pods[namespace, name] = pod
        return pod

    def pod(self, namespace: str, name: str) -> Pod:
        """Return a pod."""
        try:
            return self._pods[namespace, name]
        except KeyError:
            raise RefusedError(404, "NotFound", f'pods "{name}" not found') from None

    def pods(self, namespace: str, selector: str) -> list[Item]:
        """Return the pods whose labels match a selector, as the API returns them."""
        pods = [pod for (home, _), pod in list(self._pods.items()) if home == namespace]
        return [pod.describe() for pod in pods if matches(pod.labels, selector)]

    def events(self, namespace: str, selector: str) -> list[Item]:
        """Return the events of the pod that a field selector names, or of all."""
        wanted = dict(term.split("=", 1) for term in selector.split(",") if "=" in term).get("involvedObject.name")
        pods = [pod for (home, name), pod in list(self._pods.items()) if home == namespace and wanted in {None, name}]
        return [event for pod in pods for event in pod.events]

    def delete(self, namespace: str, name: str) -> Item:
        """Stop a pod's command and remove the pod."""
        pod = self.pod(namespace, name)
        pod.stop()
        with self._lock:
            self._pods.pop((namespace, name), None)
        return pod.describe()

    def store_secret(self, namespace: str, secret: Item) -> None:
        """Store a secret, in base64 (``data``) or plain (``stringData``)."""
        data = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
        self._secrets[namespace, secret["metadata"]["name"]] = data | (secret.get("stringData") or {})


def create_app(directory: Path, token: str) -> FastAPI:
    """Return the API; every call except the health check requires ``token``."""
    app = FastAPI(openapi_url=None)
    cluster = Cluster(directory)

    @app.exception_handler(RefusedError)
    async def refuse(_: Request, error: RefusedError) -> Response:
        return JSONResponse(error.status, error.code)

    @app.middleware("http")
    async def authenticate(request: Request, proceed: Callable[[Request], Any]) -> Response:
        if request.url.path != "/healthz" and request.headers.get("authorization") != f"Bearer {token}":
            return JSONResponse(RefusedError(401, "Unauthorized", "Unauthorized").status, 401)
        response: Response = await proceed(request)
        return response

    @app.get("/healthz")
    def health() -> str:
        return "ok"

    @app.get("/version")
    def version() -> dict[str, str]:
        unknown = dict.fromkeys(("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler"), "")
        return unknown | {"major": "0", "minor": "0", "gitVersion": "v0.0.0-double", "platform": "not Kubernetes"}

    @app.post(PODS, status_code=201)
    def create(namespace: str, manifest: Json) -> Item:
        return cluster.create(namespace, manifest).describe()

    @app.get(PODS)
    def list_pods(namespace: str, labels: Labels = "", watch: bool = False, seconds: Seconds = 30) -> Response:
        return _list_response("PodList", lambda: cluster.pods(namespace, labels), seconds if watch else None)

    @app.get("/api/v1/namespaces/{namespace}/events")
    def events(namespace: str, fields: Fields = "", watch: bool = False, seconds: Seconds = 30) -> Response:
        return _list_response("EventList", lambda: cluster.events(namespace, fields), seconds if watch else None)

    @app.get(PODS + "/{name}")
    def read(namespace: str, name: str) -> Item:
        return cluster.pod(namespace, name).describe()

    @app.patch(PODS + "/{name}")
    def patch(namespace: str, name: str, change: Json) -> Item:
        pod = cluster.pod(namespace, name)
        pod.label((change.get("metadata") or {}).get("labels") or {})
        return pod.describe()

    @app.delete(PODS + "/{name}")
    def delete(namespace: str, name: str) -> Item:
        return cluster.delete(namespace, name)

    @app.get(PODS + "/{name}/log")
    def log(namespace: str, name: str, follow: bool = False, timestamps: bool = False) -> Response:
        pod = cluster.pod(namespace, name)
        lines = pod.lines(follow=follow)
        return StreamingResponse(
            (f"{timestamp()} {line}" if timestamps else line for line in lines), media_type="text/plain"
        )

    @app.post("/api/v1/namespaces/{namespace}/secrets", status_code=201)
    def secret(namespace: str, secret: Json) -> Response:
        cluster.store_secret(namespace, secret)
        return PlainTextResponse("{}", 201, media_type="application/json")

    return app


def _list_response(kind: str, items: Callable[[], list[Item]], watched: float | None) -> Response:
    if watched is None:
        return JSONResponse({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "0"}, "items": items()})
    return StreamingResponse(_changes(items, watched), media_type="application/json")


def _changes(items: Callable[[], list[Item]], seconds: float) -> Iterator[str]:
    """Yield a watch's events: one JSON object per line for each item added, modified or deleted."""
    known: dict[str, Item] = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = {item["metadata"]["name"]: item for item in items()}
        for name, item in now.items():
            if name not in known:
                yield json.dumps({"type": "ADDED", "object": item}) + "\n"
            elif item != known[name]:
                yield json.dumps({"type": "MODIFIED", "object": item}) + "\n"
        for name in known.keys() - now.keys():
            yield json.dumps({"type": "DELETED", "object": known[name]}) + "\n"
        known = now
        time.sleep(POLL)


def main() -> None:
    """Serve on the loopback interface until stopped."""
    parser = argparse.ArgumentParser(prog="python -m devstack.kubernetes_double", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="folder for the pods' logs")
    arguments = parser.parse_args()
    app = create_app(arguments.directory, os.environ[BEARER_VARIABLE])
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="info")


if __name__ == "__main__":
    main()
