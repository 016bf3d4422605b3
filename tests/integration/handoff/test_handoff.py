"""A million rows from task to task: in little memory, with tiny XComs, and nothing left behind."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from upath import UPath

from devstack.state import REPOSITORY
from include.core.run_folders import folder_of, orphans, remove
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.domains.handoff import lines
from spellbook.xcom import XComTooLargeError, refuse_large

ROWS = 1_000_000
LIMIT_MB = 300
STEP = """
import json, re, resource, sys
from upath import UPath
from include.domains.handoff import lines
from include.core.warehouse.attempt import Attempt
step, *given = sys.argv[1:]
if step == "extract":
    found = lines.extract(UPath(given[0]), "run/1", int(given[1]))
elif step == "transform":
    found = lines.transform(UPath(given[0]))
else:
    found = lines.load(UPath(given[0]), given[1], Attempt("dag", "load", "run", 1)).loaded
if sys.platform == "linux":  # where ru_maxrss of a new program begins with that of the one that started it
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024**2
print(json.dumps([found, peak]))
"""


def step(*arguments: str) -> tuple[str, int]:
    """One task in a process of its own; returns what it hands on, and its peak of resident memory in MB."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", STEP, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    found, peak = json.loads(done.stdout.splitlines()[-1])
    return found, peak


def test_a_million_rows(tmp_path: Path, warehouse: str) -> None:
    raw, first = step("extract", url_of(tmp_path), str(ROWS))
    amounts, second = step("transform", raw)
    articles, third = step("load", amounts, warehouse)
    assert max(first, second, third) < LIMIT_MB
    assert max(len(json.dumps(handed)) for handed in (raw, amounts)) < 1024
    with psycopg.connect(warehouse) as session:
        found = session.execute("SELECT count(*), sum(lines), sum(amount_pence) FROM stock_totals").fetchone()
    recorded = list(lines._recorded())
    whole, rest = divmod(ROWS, len(recorded))
    amount = sum(q * p for _, q, p in recorded) * whole + sum(q * p for _, q, p in recorded[:rest])
    assert found == (articles, ROWS, amount)


def test_files_go_when_the_run_is_done_and_by_age(tmp_path: Path, warehouse: str) -> None:
    root = UPath(url_of(tmp_path))
    amounts = UPath(lines.transform(UPath(lines.extract(root, "run", 100))))
    lines.load(amounts, warehouse, Attempt("dag", "load", "run", 1))
    now = dt.datetime.now(dt.UTC)
    assert list(orphans(root, dt.timedelta(days=1), now)) == []
    [old] = orphans(root, dt.timedelta(days=1), now + dt.timedelta(days=2))
    assert old == folder_of(root, "run")
    remove(old)
    remove(old)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_oversized_xcom_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_large("return_value", {"url": "s3://bucket/file"})
    with pytest.raises(XComTooLargeError, match=r"XCom 'rows' of type list is larger than 5000000 bytes"):
        refuse_large("rows", [{"number": number} for number in range(400_000)])
    monkeypatch.setenv("SPELLBOOK_XCOM_LIMIT", "10")
    with pytest.raises(XComTooLargeError, match="larger than 10 bytes"):
        refuse_large("return_value", "x" * 20)


def test_other_xcoms_pass_through_and_come_back(tmp_path: Path) -> None:
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
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()], "the large one lies in object storage"
