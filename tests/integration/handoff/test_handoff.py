"""A million rows from task to task: in little memory, with small XComs, and without leftover files."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from upath import UPath

from devstack.state import REPOSITORY
from include.core.errors import PermanentError
from include.core.storage import HANDOFF, handoff_folder, remove, url_of
from include.core.warehouse.attempt import Attempt
from include.domains.handoff import lines
from include.ops.maintenance.files import unused_run_folders
from spellbook.xcom import XComTooLargeError, refuse_large

ROWS = 1_000_000
LIMIT_MB = 300
STEP = """
import json, re, resource, sys
from upath import UPath
from include.domains.handoff import lines
from include.core.warehouse.attempt import Attempt
step, *arguments = sys.argv[1:]
if step == "extract":
    result = lines.extract(UPath(arguments[0]), int(arguments[1]))
elif step == "transform":
    result = lines.transform(UPath(arguments[0]))
else:
    result = lines.load(UPath(arguments[0]), arguments[1], Attempt("dag", "load", "run", 1)).loaded
if sys.platform == "linux":  # where ru_maxrss of a new process starts at its parent's value
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024**2
print(json.dumps([result, peak]))
"""


def step(*arguments: str) -> tuple[str, int]:
    """Run a task in its own process; return its result and its peak resident memory in MB."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.run(
        [sys.executable, "-c", STEP, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    result, peak = json.loads(process.stdout.splitlines()[-1])
    return result, peak


def test_a_million_rows(tmp_path: Path, warehouse: str) -> None:
    raw, first = step("extract", url_of(tmp_path), str(ROWS))
    amounts, second = step("transform", raw)
    articles, third = step("load", amounts, warehouse)
    assert max(first, second, third) < LIMIT_MB
    assert max(len(json.dumps(handed)) for handed in (raw, amounts)) < 1024
    with psycopg.connect(warehouse) as session:
        totals = session.execute("SELECT count(*), sum(lines), sum(amount_pence) FROM stock_totals").fetchone()
    recorded = list(lines._recorded())
    repeats, remainder = divmod(ROWS, len(recorded))
    amount = sum(q * p for _, q, p in recorded) * repeats + sum(q * p for _, q, p in recorded[:remainder])
    assert totals == (articles, ROWS, amount)


def test_files_are_removed_after_the_run_and_by_age(tmp_path: Path, warehouse: str) -> None:
    root = UPath(url_of(tmp_path))
    amounts = UPath(lines.transform(UPath(lines.extract(handoff_folder(root, "dag", "run"), 100))))
    lines.load(amounts, warehouse, Attempt("dag", "load", "run", 1))
    now = dt.datetime.now(dt.UTC)
    assert list(unused_run_folders(root / HANDOFF, dt.timedelta(days=1), now)) == []
    [old] = unused_run_folders(root / HANDOFF, dt.timedelta(days=1), now + dt.timedelta(days=2))
    assert old == handoff_folder(root, "dag", "run")
    remove(old)
    remove(old)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_oversized_xcom_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_large("return_value", {"url": "s3://bucket/file"})
    with pytest.raises(XComTooLargeError, match=r"XCom 'rows' of type list is larger than 5000000 bytes"):
        refuse_large("rows", [{"number": number} for number in range(400_000)])
    monkeypatch.setenv("SPELLBOOK_XCOM_LIMIT", "10")
    with pytest.raises(XComTooLargeError, match="larger than 10 bytes"):
        refuse_large("return_value", "x" * 20)


def test_other_xcoms_are_stored_and_read_back(tmp_path: Path) -> None:
    code = (
        "import json\n"
        "from spellbook.xcom import GuardedXCom\n"
        "for value in (None, 1, 'text', ['a', 'b'], {'a': [1, None]}, {'big': 'x' * 100_000}):\n"
        "    stored = GuardedXCom.serialize_value(value, key='k', task_id='t', dag_id='d', run_id='r')\n"
        "    assert len(json.dumps(stored)) < 1024, stored\n"
        "    back = GuardedXCom.deserialize_value(type('Wrapped', (), {'value': stored}))\n"
        "    assert back == value, (back, value)\n"
    )
    environment = os.environ | {
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'plugins'}",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": url_of(tmp_path),
    }
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()], "the large one is in object storage"


def test_clearing_a_task_clears_what_writes_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REPOSITORY / "dags")
    dag = importlib.import_module("large_data_handoff").large_data_handoff()
    for downstream in (True, False):
        cleared = dag.partial_subset(["load"], include_downstream=downstream, include_upstream=False)
        assert set(cleared.task_ids) == {"extract", "transform", "load", "clean_up"}


def test_a_file_that_was_removed_is_an_error_that_says_which_task_to_clear(tmp_path: Path, warehouse: str) -> None:
    folder = handoff_folder(UPath(url_of(tmp_path)), "dag", "run")
    raw = UPath(lines.extract(folder, 100))
    amounts = UPath(lines.transform(raw))
    remove(folder)
    message = r"parquet doesn't exist: .* Clear the task extract with its downstream"
    with pytest.raises(PermanentError, match=message):
        lines.transform(raw)
    with pytest.raises(PermanentError, match=message):
        lines.load(amounts, warehouse, Attempt("dag", "load", "run", 1))
