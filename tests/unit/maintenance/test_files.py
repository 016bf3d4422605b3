"""Old files are deleted, new and foreign ones are kept, and a dry run deletes nothing."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from upath import UPath

from include.core.storage import HANDOFF, handoff_folder, url_of
from include.ops.maintenance.files import Expired, old_logs, old_run_folders

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def put(path: Path, age: dt.timedelta) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text")
    os.utime(path, ((NOW - age).timestamp(),) * 2)
    return path


@pytest.mark.parametrize("dry_run", [True, False])
def test_old_logs(tmp_path: Path, dry_run: bool) -> None:
    logs, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    old = put(logs / "dag_id=a" / "run_id=1" / "attempt=1.log", 31 * DAY)
    young = put(logs / "dag_id=a" / "run_id=2" / "attempt=1.log", 29 * DAY)
    other = put(logs / "notes.txt", 99 * DAY)
    target = put(elsewhere / "kept.log", 99 * DAY)
    (logs / "link.log").symlink_to(target)
    assert old_logs(logs, 30 * DAY, NOW, dry_run=dry_run) == Expired(1, 4, not dry_run)
    assert old.exists() is old.parent.exists() is dry_run
    assert young.exists()
    assert other.exists()
    assert target.exists()
    assert (logs / "link.log").is_symlink()


@pytest.mark.parametrize("dry_run", [True, False])
def test_old_run_folders(tmp_path: Path, dry_run: bool) -> None:
    root = UPath(url_of(tmp_path))
    old, young = (Path(handoff_folder(root, "dag", run).path) for run in ("old", "young"))
    put(old / "lines.parquet", 3 * DAY)
    put(young / "lines.parquet", 3 * DAY)
    put(young / "amounts.parquet", DAY)
    assert old_run_folders(root / HANDOFF, 2 * DAY, NOW, dry_run=dry_run) == Expired(1, 0, not dry_run)
    assert old.exists() is dry_run
    assert young.exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_old_folders_by_a_pattern_of_their_own(tmp_path: Path, dry_run: bool) -> None:
    old = put(tmp_path / "monitoring" / "day=2024-01-01" / "run" / "report.html", 91 * DAY)
    young = put(tmp_path / "monitoring" / "day=2024-01-01" / "later" / "report.html", 89 * DAY)
    other = put(tmp_path / "monitoring" / "notes" / "mine" / "notes.txt", 99 * DAY)
    top = UPath(url_of(tmp_path)) / "monitoring"
    assert old_run_folders(top, 90 * DAY, NOW, dry_run=dry_run, runs="day=*/*") == Expired(1, 0, not dry_run)
    assert old.exists() is dry_run
    assert young.exists()
    assert other.exists()


def test_nothing_to_remove(tmp_path: Path) -> None:
    assert old_run_folders(UPath(url_of(tmp_path)), DAY, NOW, dry_run=False) == Expired(0, 0, True)
    assert old_logs(tmp_path, DAY, NOW, dry_run=False) == Expired(0, 0, True)
