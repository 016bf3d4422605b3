"""``airflow standalone``, which a user would start without this repository, with one DAG file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.own_stack import ENDED, seconds_of
from devstack.api import Airflow
from devstack.errors import StackError
from devstack.state import REPOSITORY, free_port
from devstack.waiting import wait_for

POLL = 0.2


@dataclass(frozen=True)
class Standalone:
    """A running one; ``file`` is its copy of the DAG file, ``log`` what it prints."""

    airflow: Airflow
    file: Path
    log: Path

    def run(self, dag_id: str) -> float:
        """Wait until the file's docstring is that of the DAG, run it, and return its tasks' own seconds.

        Raises:
            StackError: if it makes no progress.
        """
        first_line = self.file.read_text(encoding="utf-8").removeprefix('"""').partition("\n")[0]
        wait_for(lambda: self._is_loaded(dag_id, first_line), f"{self.file.name} to be parsed", progress=self._printed)
        run_id = self.airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"]
        wait_for(
            lambda: self.airflow.runs(dag_id, [run_id])[0]["state"] in ENDED,
            f"a run of {dag_id}",
            progress=self._printed,
            poll=POLL,
        )
        return sum(map(seconds_of, self.airflow.task_instances(dag_id, run_id)))

    def _is_loaded(self, dag_id: str, first_line: str) -> bool:
        details = self.airflow.dag(dag_id)
        if details is None or not details["doc_md"].startswith(first_line):
            return False
        self.airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
        return True

    def _printed(self) -> int:
        return self.log.stat().st_size


@contextmanager
def standalone(dag_file: Path) -> Iterator[Standalone]:
    """Start it with a copy of the file; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="spellbook-standalone-") as scratch:
        home = Path(scratch)
        (home / "dags").mkdir()
        file = Path(shutil.copy(dag_file, home / "dags"))
        passwords, port = home / "passwords.json", free_port()
        passwords.write_text(json.dumps({"admin": "admin"}))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")} | {
            "AIRFLOW_HOME": scratch,
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
        }
        log = home / "standalone.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["airflow", "standalone"],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            [airflow] = wait_for(lambda: _connected(url), "airflow standalone", progress=lambda: log.stat().st_size)
            yield Standalone(airflow, file, log)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _connected(url: str) -> list[Airflow]:
    with suppress(StackError):
        return [Airflow(url, "admin", "admin", lambda: False)]
    return []
