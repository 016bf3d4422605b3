"""A new process that inspects every file of some DAG folders.

Started as ``python -X importtime -m tests.gate.probe JOB RESULT``.

JOB is a JSON file: ``folders`` maps a DAG folder to the seconds that an import in it may take, ``plugins`` lists
plugins folders, ``banned`` the modules that nothing may import while it is parsed or loaded, ``days`` is how far the
clock is ahead, ``budgets`` the allowed cost of a file, by its name or as ``default``. RESULT is written as JSON, see
:func:`main`.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import time_machine
from airflow.dag_processing.dagbag import DagBag
from airflow.dag_processing.importers import get_importer_registry

from devstack.catalogue.extract import facts_of
from tests.gate import tripwires
from tests.gate.inspection import baseline_seconds, inspect_file, inspect_plugins

WARM_UP_FILE = Path(__file__).with_name("planted") / "dags" / "good.py"


def warm_up() -> None:
    """Load what every DAG file loads, as the dag-processor does, so that a file's cost excludes it.

    Raises:
        RuntimeError: if this file doesn't load.
    """
    bag = DagBag(dag_folder=WARM_UP_FILE)
    if bag.import_errors:
        raise RuntimeError(f"{WARM_UP_FILE} must parse, but: {bag.import_errors}")
    for dag in bag.dags.values():
        facts_of(dag, WARM_UP_FILE.parent)
    gc.freeze()


def main(job_path: str, result_path: str) -> None:
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    banned, budgets = job["banned"], job["budgets"]
    plugins = {folder: inspect_plugins(folder, banned) for folder in job["plugins"]}
    warm_up()  # loads the plugins
    baseline = baseline_seconds()
    result: dict[str, Any] = {"plugins": plugins, "folders": {}}
    tripwires.block_network()
    with time_machine.travel(time.time() + job["days"] * 86_400):
        for folder, timeout in job["folders"].items():
            files = (
                sorted(get_importer_registry().list_dag_files(folder, safe_mode=False)) if Path(folder).exists() else []
            )
            root = Path(folder) if Path(folder).is_dir() else Path(folder).parent
            result["folders"][folder] = {
                file: inspect_file(
                    file, root, timeout, banned, baseline, budgets.get(Path(file).name, budgets["default"])
                )
                for file in files
            }
    Path(result_path).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
