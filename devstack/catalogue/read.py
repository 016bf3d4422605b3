"""Read the DAGs in a process whose environment is independent of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from devstack.catalogue.facts import Facts
from devstack.errors import StackError
from devstack.state import REPOSITORY

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


def read(folder: Path = REPOSITORY / "dags") -> list[Facts]:
    """Return the facts of every DAG, by id.

    Raises:
        StackError: with the errors of the files that don't load.
    """
    facts, errors = read_all(folder)
    if errors:
        details = "\n".join(f"{file}: {error}" for file, error in errors.items())
        raise StackError(f"the DAGs don't load; `make gate` shows details:\n{details[-3000:]}")
    return facts


def read_all(folder: Path = REPOSITORY / "dags") -> tuple[list[Facts], dict[str, str]]:
    """Return the facts of every DAG that loads, by id, and the error of each file (below ``folder``) that doesn't.

    Raises:
        StackError: if not even the attempt succeeds.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "AIRFLOW_HOME": home,
            "AIRFLOW_CONFIG": str(REPOSITORY / "airflow.cfg"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/missing/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "plugins"))),
        }
        result = subprocess.run(
            [sys.executable, "-m", "devstack.catalogue.extract", str(folder)],
            env=environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        raise StackError(f"the DAGs can't be read; `make gate` shows details:\n{result.stderr[-3000:]}")
    content = json.loads(result.stdout.splitlines()[-1])
    return [Facts(**facts) for facts in content["facts"].values()], content["errors"]
