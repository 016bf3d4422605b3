"""Faults of disks and folders: full, or not writable."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from devstack.postgres import SERVER_ACCOUNT, WAREHOUSE
from tests.faults.bench import Bench
from tests.faults.checks import check_load, new_day, start, task_state
from tests.faults.conftest import Recovery

pytestmark = pytest.mark.weekly


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount over a folder; skips the test where that isn't permitted."""
    result = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"a disk of its own can't be mounted, which needs root: {result.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[Path]:
    """Fill the disk of a folder in the block."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError:
        pass
    try:
        yield filler
    finally:
        filler.unlink(missing_ok=True)


def test_disk_of_logs_full(bench: Bench, recovery: Recovery) -> None:
    """A task can't start without its log: it is tried again."""
    logs = bench.processes.state.airflow_home / "logs"
    day = new_day()
    with mounted(logs, "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        with full(logs):
            run = start_and_fail(bench, day)
        recovery.begins()
        check_load(bench, run, day)
    recovery.ends(60)


def start_and_fail(bench: Bench, day: str) -> str:
    """Start a run, and wait until the first try of its first task has failed; return the run's id."""
    run = start(bench, day=day)
    bench.processes.wait(lambda: task_state(bench, run, "extract") == "up_for_retry", "the first try to fail")
    return run


@pytest.mark.parametrize("place", ["table", "stage"])
def test_disk_of_warehouse_full(bench: Bench, recovery: Recovery, place: str) -> None:
    """The load fails as a whole, and is repeated once there is room."""
    first = new_day()
    check_load(bench, start(bench, day=first), first)  # so that there is a table
    moves = {
        "table": (
            "ALTER TABLE ledger_rows SET (fillfactor = 10)",  # each load needs new pages
            "ALTER TABLE ledger_rows SET TABLESPACE small",
        ),
        "stage": (f"ALTER DATABASE {WAREHOUSE} SET temp_tablespaces = small",),
    }
    with (
        TemporaryDirectory(prefix="spellbook-disk-", dir="/var/tmp") as name,  # a random name in it
        bench.processes.session(WAREHOUSE) as session,
    ):
        Path(name).chmod(0o755)
        with mounted(Path(name), "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
            shutil.chown(name, SERVER_ACCOUNT)
            session.execute(f"CREATE TABLESPACE small LOCATION '{name}'")
            try:
                for move in moves[place]:
                    session.execute(move)
                day = new_day()
                with full(Path(name)):
                    run = start(bench, day=day)
                    bench.processes.wait(
                        lambda: task_state(bench, run, "load") == "up_for_retry", "the first try to fail"
                    )
                    recovery.begins()
                check_load(bench, run, day)
                recovery.ends(30)
            finally:
                session.execute(f"ALTER DATABASE {WAREHOUSE} RESET temp_tablespaces")
                session.execute("ALTER TABLE ledger_rows RESET (fillfactor)")
                session.execute("ALTER TABLE ledger_rows SET TABLESPACE pg_default")
                session.execute("DROP TABLESPACE small")


def test_folder_of_logs_not_writable(bench: Bench, recovery: Recovery) -> None:
    day = new_day()
    with not_writable(bench.processes.state.airflow_home / "logs"):
        run = start_and_fail(bench, day)
    recovery.begins()
    check_load(bench, run, day)
    recovery.ends(60)


def test_folder_of_dags_not_writable(bench: Bench, recovery: Recovery) -> None:
    """Nothing writes to it."""
    day = new_day()
    with not_writable(bench.processes.dags):
        recovery.begins()
        run = start(bench, day=day)
        check_load(bench, run, day)
        recovery.ends(60)


@contextmanager
def not_writable(folder: Path) -> Iterator[None]:
    """Make a disk read-only in the block; for an ordinary user, take the permission to write to the folder."""
    if os.geteuid():
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
