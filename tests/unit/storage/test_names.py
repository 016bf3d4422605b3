"""Names of files and folders: readable, valid everywhere, and different for different ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from upath import UPath

from include.core.storage import file_name, handoff_folder, remove, task_file_name, write

ORDINARY = {
    "customer_report": "customer_report",
    "first_fill__2024-06-01": "first_fill__2024-06-01",
    "group.task": "group.task",
    "scheduled__2024-06-01T00:00:00+00:00": "scheduled__2024-06-01T00-00-00-00-00",
    "manual__2024-06-01T08:15:30.123456+00:00_aB3xY9Qz": "manual__2024-06-01T08-15-30.123456-00-00_aB3xY9Qz",
    "backfill__2024-06-01T00:00:00+02:00": "backfill__2024-06-01T00-00-00-02-00",
}
IDS = st.text("xT0123:+-~.", max_size=12) | st.text(st.characters(exclude_categories=["Cs"]))
RUN = "manual__2024-06-01T08:15:30+00:00"


@pytest.mark.parametrize(("run_id", "name"), ORDINARY.items())
def test_the_name_of_an_ordinary_id_can_be_read(run_id: str, name: str) -> None:
    assert file_name(run_id) == name


@given(st.sets(IDS))
@example({"x:y", "x-y", "x+y", "x~y", "x--y", "x/y"})
@example({RUN, file_name(RUN), RUN.replace("+", "-"), RUN.replace(":", "-")})
@example({"", ".", "..", "...", ".x", "x", "-", "--"})
@example({"x:y", file_name("x:y")})
@example({"x" * length for length in (100, 101, 250)})
def test_different_ids_have_different_names(ids: set[str]) -> None:
    names = {file_name(name) for name in ids}
    assert len(names) == len(ids)
    for name in names:
        assert name.isascii()
        assert Path(name).name == name
        assert not name.startswith(".")
        assert len(name) < 120


def test_a_mapped_task_has_other_names_than_an_unmapped_one() -> None:
    tasks = [("load", -1), ("load", 1), ("load", 11), ("load-1", None), ("load.1", -1), ("load-1-", -1)]
    assert len({task_file_name(task_id, index) for task_id, index in tasks}) == len(tasks)
    assert task_file_name("load", None) == task_file_name("load", -1) == "load"


def test_a_run_removes_its_own_files_only(tmp_path: Path) -> None:
    root = UPath(tmp_path / "storage")
    others = [write(handoff_folder(root, "dag", run_id) / "rows", b"1") for run_id in ("x-y", "x+y", "..x", RUN)]
    others.append(write(handoff_folder(root, "other", "x:y") / "rows", b"1"))
    others.append(write(root / "inbox" / "rows", b"1"))
    for run_id in ("x:y", ".", "..", "../inbox", ""):
        write(handoff_folder(root, "dag", run_id) / "rows", b"1")
        remove(handoff_folder(root, "dag", run_id))
    assert all(UPath(url).exists() for url in others)
