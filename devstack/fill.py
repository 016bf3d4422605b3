"""The first fill of a stack with schedules enabled: ``python -m devstack.fill --url URL …``.

Loads once what DAGs read from one another, so that every triggered DAG finds its input. The DAGs that load it stay
unpaused: their schedules load each further day.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from devstack import needs, traffic
from devstack.api import Airflow, RefusedError
from devstack.errors import StackError
from devstack.needs import Asset
from include import settings

CLOSED_MONTHS: tuple[str, ...] = ("sales_data",)
"""Assets of which one day of each of the last two months is loaded too, for the month-end close."""
FINISHED = {"success", "failed"}
RETRY_SECONDS = 10  # while Airflow or the model server is unavailable
Say = Callable[[str], None]


@dataclass(frozen=True)
class Fill:
    """The first fill of one Airflow.

    Attributes:
        airflow: with schedules enabled.
        folder: its DAG files.
        say: receives progress messages.
        connections: ids of the configured connections; a DAG that uses another one isn't run. ``None`` for all.
    """

    airflow: Airflow
    folder: Path
    say: Say
    connections: frozenset[str] | None = None

    def run(self) -> bool:
        """Run the producers of assets that other DAGs read and that were never published; return whether all succeeded.

        Runs that an earlier fill started are awaited, not repeated.
        """
        needs.wait_for_files(self.airflow, self.folder)
        missing = self._missing()
        pending = sorted({dag_id for asset in missing for dag_id in asset.producers})
        if pending:
            self.say(f"first fill, so that every DAG finds its input: {', '.join(pending)}")
        started_at = time.monotonic()
        # A paused DAG misses asset events: DAGs that wait for one are unpaused before others publish it.
        waiting = {dag_id for asset in missing for dag_id in asset.starts}
        pending.sort(key=lambda dag_id: dag_id not in waiting)
        self._load_closed_months()
        complete = self._run_all(list(pending))
        if pending:
            self.say(
                f"first fill: {'done' if complete else 'not complete'} after {time.monotonic() - started_at:.0f} s"
            )
        return complete

    def _run_all(self, pending: list[str]) -> bool:
        """Start each DAG when its inputs are published, and wait for all; return whether all have published."""
        started: dict[str, str | None] = {}
        failed: set[str] = set()
        unconfigured = {dag_id: self._unconfigured(dag_id) for dag_id in pending}
        while pending:
            missing = self._missing()
            needed = needs.graph(missing)
            for dag_id in list(pending):
                waits = any(dag_id in asset.starts for asset in missing)
                end = ""
                if blocked := unconfigured[dag_id] | (needed.get(dag_id, set()) & failed):
                    end = f"not run, because {', '.join(sorted(blocked))} is missing"
                elif dag_id in started:
                    end = self._end(dag_id, started[dag_id])
                elif waits or not needed.get(dag_id):
                    try:
                        started[dag_id] = self._start(dag_id, waits=waits)
                    except RefusedError as refusal:
                        end = str(refusal)
                if end:
                    pending.remove(dag_id)
                    unpublished = [asset.name for asset in self._missing() if dag_id in asset.producers]
                    if unpublished:
                        failed.add(dag_id)
                    self.say(
                        f"  {dag_id}: {end}" + (f"; {', '.join(unpublished)} is not published" if unpublished else "")
                    )
            if pending and not started.keys() & set(pending):
                raise StackError(f"{', '.join(pending)} depend on one another's assets")
            time.sleep(1)
        return not failed

    def _load_closed_months(self) -> None:
        """Load a day of each of the last two months of :data:`CLOSED_MONTHS`."""
        for asset in needs.assets(self.airflow):
            if asset.name in CLOSED_MONTHS and asset.readers and asset.producers:
                self._load_months_before(min(asset.producers))

    def _load_months_before(self, dag_id: str) -> None:
        last = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
        for day in (last, last.replace(day=1) - timedelta(days=1)):
            body = {"dag_run_id": f"first_fill__{day}", "logical_date": None, "conf": {"day": day.isoformat()}}
            try:
                self.airflow.post(f"/dags/{dag_id}/dagRuns", body)
            except RefusedError as refusal:
                if refusal.status != HTTPStatus.CONFLICT:  # the run exists
                    raise
            else:
                self.airflow.patch(f"/dags/{dag_id}", {"is_paused": False})

    def _unconfigured(self, dag_id: str) -> set[str]:
        """Return the connections that a DAG uses and that aren't configured."""
        if self.connections is None:
            return set()
        source = self.airflow.source(dag_id)
        return {item.conn_id for item in settings.CONNECTIONS if item.conn_id in source} - self.connections

    def _missing(self) -> list[Asset]:
        """Return the assets that one DAG publishes and another reads, and that were never published."""
        return [
            asset for asset in needs.assets(self.airflow) if asset.producers and asset.readers and not asset.published
        ]

    def _start(self, dag_id: str, *, waits: bool) -> str | None:
        """Unpause a DAG, and trigger it unless an asset (``waits``) or its schedule starts it, or a run is active.

        Returns the id of the newest run that had ended before, if any.
        """
        details = self.airflow.get(f"/dags/{dag_id}")
        newest = self._newest(dag_id)
        self.airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
        if newest and newest["state"] not in FINISHED:
            return None
        before = str(newest["dag_run_id"]) if newest else None
        if waits:
            return before
        due = details["next_dagrun_run_after"]
        scheduled_now = details["is_paused"] and not newest and due and datetime.fromisoformat(due) <= datetime.now(UTC)
        if not scheduled_now:
            self.airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None})
        return before

    def _end(self, dag_id: str, before: str | None) -> str:
        """Return the final state of a run newer than ``before``; empty while there is none or it is active."""
        run = self._newest(dag_id)
        return str(run["state"]) if run and run["dag_run_id"] != before and run["state"] in FINISHED else ""

    def _newest(self, dag_id: str) -> dict[str, Any] | None:
        """Return an active run, else the newest."""
        runs = self.airflow.get(f"/dags/{dag_id}/dagRuns", order_by="-id", limit=10)["dag_runs"]
        return min(runs, key=lambda run: run["state"] in FINISHED, default=None)


def keep_filled(fill: Callable[[], Fill], model_server: str, say: Say, end: threading.Event) -> None:
    """Fill, then replay each day's sample traffic, until ``end`` is set.

    Args:
        fill: logs in to Airflow; called for each attempt.
        model_server: URL of the model server.
        say: receives progress messages.
        end: stops the loop.
    """
    last_message = ""
    while not end.is_set():
        try:
            current = fill()
            current.run()
            replay_traffic(current.airflow, model_server, say)
        except StackError as error:
            if not end.is_set() and str(error) != last_message:
                last_message = str(error)
                say(f"first fill: {last_message}")
            end.wait(RETRY_SECONDS)
        else:
            now = datetime.now(UTC)
            midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
            end.wait((midnight - now).total_seconds())


def replay_traffic(airflow: Airflow, model_server: str, say: Say) -> None:
    """Replay yesterday's sample traffic once, if a model is registered."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    published = {asset.name: bool(asset.published) for asset in needs.assets(airflow)}
    sample = traffic.sample()
    if sample is None or not published.get(sample.MODEL) or traffic.ASSET not in published:
        return
    if yesterday.isoformat() not in {event["extra"].get("day") for event in airflow.events(traffic.ASSET)}:
        say(traffic.replay(model_server, airflow, yesterday))


def main() -> None:
    """Keep an Airflow filled whose connections are stored in its database, until stopped."""
    parser = argparse.ArgumentParser(prog="python -m devstack.fill", description=__doc__)
    parser.add_argument("--url", required=True, help="Airflow's API server")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", required=True, type=Path)
    parser.add_argument("--dags", required=True, type=Path, help="folder of the DAG files")
    parser.add_argument("--model-server", default="", help="URL of the model server, if there is one")
    parser.add_argument("--mark", required=True, type=Path, help="file that is created after the login to Airflow")
    arguments = parser.parse_args()
    say = partial(print, flush=True)

    def fill() -> Fill:
        airflow = Airflow(arguments.url, arguments.user, arguments.password_file.read_text().strip())
        arguments.mark.touch()
        return Fill(airflow, arguments.dags, say, airflow.connection_ids())

    keep_filled(fill, arguments.model_server, say, threading.Event())


if __name__ == "__main__":
    main()
