"""The metadata database is migrated once for an installation; what the versions are decides."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from devstack import metadata
from devstack.state import State


class Server:
    """A database server, as far as the preparation sees it; notes what is done."""

    def __init__(self, done: list[str], *, fresh: bool) -> None:
        self.done, self.fresh = done, fresh

    def create_database(self, name: str) -> bool:
        del name
        return self.fresh

    def dump(self, database: str, path: Path) -> None:
        self.done.append(f"dump {database}")
        path.write_text("")

    def restore(self, database: str, path: Path) -> None:
        assert path.exists()
        self.done.append(f"restore {database}")


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Prepare the database of a state; return what was done."""
    (tmp_path / "environment").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))

    def prepare(state: str, *, fresh: bool) -> list[str]:
        done: list[str] = []
        server: Any = Server(done, fresh=fresh)
        metadata.prepare(State.open(tmp_path / state), server, lambda: done.append("migrate"))
        return done

    return prepare


def test_the_first_start_migrates_and_later_ones_restore(prepared: Any) -> None:
    assert prepared("one", fresh=True) == ["migrate", "dump airflow"]
    assert prepared("one", fresh=False) == []
    assert prepared("two", fresh=True) == ["restore airflow"]


def test_other_versions_migrate_what_is_there(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepared("one", fresh=True) == ["migrate", "dump airflow"]
    monkeypatch.setattr(metadata, "_versions", lambda: "newer")
    assert prepared("one", fresh=False) == ["migrate"]
    assert prepared("two", fresh=True) == ["migrate", "dump airflow"], "the older dump is of no use"


def test_a_cluster_that_was_deleted_is_prepared_anew(prepared: Any) -> None:
    prepared("one", fresh=True)
    assert prepared("one", fresh=True) == ["restore airflow"]
