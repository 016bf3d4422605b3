"""A client of Airflow's REST API, with the calls that the embedded stack needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests
from tenacity import Retrying, retry_if_exception, wait_exponential

from devstack.environment import ADMIN, local_url
from devstack.errors import StackError
from devstack.process import Record
from devstack.state import State

TRIES = 10


class BusyError(StackError):
    """Airflow did not respond in time."""


class RefusedError(StackError):
    """Airflow responded with an error; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Airflow:
    """A running Airflow, accessed as one of its users.

    Every method raises :class:`RefusedError` with Airflow's message if it refuses, :class:`StackError` if it is down.

    Args:
        url: of its API server.
        user: user name.
        password: of the user.
        is_alive: tells whether Airflow's services still run. While they do, a call to a busy server is retried.
    """

    def __init__(self, url: str, user: str, password: str, is_alive: Callable[[], bool] = lambda: True) -> None:
        self.url = url
        self._is_alive = is_alive
        self._session = requests.Session()
        self._session.trust_env = False
        login = self._call("POST", "/auth/token", {"username": user, "password": password})
        self._session.headers["Authorization"] = f"Bearer {login['access_token']}"

    @classmethod
    def of(cls, state: State) -> Airflow:
        """Return the Airflow of one state folder, as its administrator."""

        def is_alive() -> bool:
            records = (Record.read(state.services / f"{name}.json") for name in ("airflow", "postgres"))
            return all(record and record.process() for record in records)

        return cls(local_url(state, "api"), ADMIN, state.secret(ADMIN), is_alive)

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the response of ``GET /api/v2<path>``."""
        return self._call("GET", f"/api/v2{path}", parameters=parameters)

    def pages(self, path: str, key: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return every item of a list ``key`` that the API returns in pages."""
        items: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=100, offset=len(items), **parameters)
            items += page[key]
            if not page[key] or len(items) >= page["total_entries"]:
                return items

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the response of ``POST /api/v2<path>``."""
        return self._call("POST", f"/api/v2{path}", body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Return the response of ``PATCH /api/v2<path>``."""
        return self._call("PATCH", f"/api/v2{path}", body)

    def dag_ids(self) -> list[str]:
        """Return the ids of the DAGs that loaded."""
        return [dag["dag_id"] for dag in self.pages("/dags", "dags")]

    def files(self) -> set[str]:
        """Return the files (paths below the DAG folder) whose DAGs loaded."""
        return {dag["relative_fileloc"] for dag in self.pages("/dags", "dags")}

    def assets(self) -> list[dict[str, Any]]:
        """Return every asset that a DAG uses, with its tasks, DAGs and last event."""
        return self.pages("/assets", "assets")

    def connection_ids(self) -> frozenset[str]:
        """Return the ids of the connections in Airflow's database, without those from the environment."""
        return frozenset(item["connection_id"] for item in self.pages("/connections", "connections"))

    def publish(self, asset: str, extra: dict[str, Any]) -> None:
        """Publish an event of the asset with this name."""
        self.post("/assets/events", {"asset_id": self._asset_id(asset), "extra": extra})

    def events(self, asset: str) -> list[dict[str, Any]]:
        """Return the newest hundred events of the asset with this name."""
        path, newest_first = "/assets/events", "-timestamp"
        return list(self.get(path, asset_id=self._asset_id(asset), order_by=newest_first, limit=100)["asset_events"])

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """Return a DAG's details; ``None`` if there is no such DAG."""
        try:
            return dict(self.get(f"/dags/{dag_id}/details"))
        except RefusedError as refusal:
            if refusal.status == requests.codes.not_found:
                return None
            raise

    def source(self, dag_id: str) -> str:
        """Return the text of the file that defines the DAG."""
        return str(self.get(f"/dagSources/{dag_id}")["content"])

    def import_errors(self) -> dict[str, dict[str, Any]]:
        """Return the import errors by the file's path below the DAG folder."""
        return {error["filename"]: error for error in self.pages("/importErrors", "import_errors")}

    def heartbeat(self, component: str) -> str:
        """Return the last heartbeat of ``scheduler``, ``dag_processor`` or ``triggerer``; empty if there is none."""
        return str(self.get("/monitor/health")[component][f"latest_{component}_heartbeat"] or "")

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return self.pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def runs(self, dag_id: str, run_ids: list[str]) -> list[dict[str, Any]]:
        """Return the named runs, in that order."""
        if len(run_ids) == 1:
            return [self.get(f"/dags/{dag_id}/dagRuns/{run_ids[0]}")]
        by_id = {run["dag_run_id"]: run for run in self.pages(f"/dags/{dag_id}/dagRuns", "dag_runs")}
        return [by_id[run_id] for run_id in run_ids]

    def runs_since(self, dag_id: str, moment: datetime, run_type: str) -> list[dict[str, Any]]:
        """Return the runs of one type that were queued at or after ``moment``, ordered by their due time."""
        runs = self.pages(f"/dags/{dag_id}/dagRuns", "dag_runs", order_by="run_after", run_type=run_type)
        return [run for run in runs if datetime.fromisoformat(run["queued_at"]) >= moment]

    def log(self, instance: dict[str, Any]) -> list[str]:
        """Return the log lines of a task instance's last try, including tracebacks."""
        return [line for entry in self.log_entries(instance) for line in _lines(entry)]

    def log_entries(self, instance: dict[str, Any]) -> list[dict[str, Any] | str]:
        """Return what a task instance's last try logged: ``event``, ``logger`` and more for each entry."""
        path = f"/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}/taskInstances/{instance['task_id']}"
        response = self.get(
            f"{path}/logs/{max(instance['try_number'], 1)}", map_index=instance["map_index"], full_content=True
        )
        return list(response["content"])

    def _asset_id(self, name: str) -> int:
        return next(int(asset["id"]) for asset in self.assets() if asset["name"] == name)

    def _call(self, method: str, path: str, body: Any = None, parameters: dict[str, Any] | None = None) -> Any:
        repeatable = method in {"GET", "PATCH"} or path == "/auth/token"
        retrying = Retrying(
            retry=retry_if_exception(_is_busy),
            stop=lambda call: call.attempt_number >= (TRIES if repeatable else 1) or not self._is_alive(),
            wait=wait_exponential(0.2, max=5),
            reraise=True,
        )
        return retrying(self._send, method, path, body, parameters)

    def _send(self, method: str, path: str, body: Any, parameters: dict[str, Any] | None) -> Any:
        try:
            response = self._session.request(method, self.url + path, json=body, params=parameters, timeout=60)
        except requests.Timeout as error:
            raise BusyError(f"Airflow at {self.url} did not respond to {method} {path} within 60 s") from error
        except requests.ConnectionError as error:
            raise StackError(
                f"Airflow no longer responds at {self.url}: was the stack stopped by another command?"
            ) from error
        if not response.ok:
            try:
                reason = response.json()["detail"]
            except (ValueError, KeyError, TypeError):
                reason = response.text[:500]
            raise RefusedError(
                response.status_code, f"Airflow refused {method} {path} ({response.status_code}): {reason}"
            )
        return response.json() if response.content else None


def _is_busy(error: BaseException) -> bool:
    """Tell whether the call may succeed later: a busy server can run out of database connections."""
    return isinstance(error, BusyError) or (
        isinstance(error, RefusedError) and error.status >= requests.codes.internal_server_error
    )


def _lines(entry: dict[str, Any] | str) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    lines = [" ".join(str(entry[name]) for name in ("event", "reason") if entry.get(name))]  # why a task is skipped
    for error in entry.get("error_detail") or ():
        lines += [f"  {frame['filename']}:{frame['lineno']} in {frame['name']}" for frame in error.get("frames", ())]
        lines.append(f"{error['exc_type']}: {error['exc_value']}")
    return lines
