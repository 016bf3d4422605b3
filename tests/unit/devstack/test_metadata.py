"""The metadata database is migrated once per installation, depending on the versions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from devstack import metadata
from devstack.state import State


class Server:
    """A database server, as the preparation uses it; records its calls."""

    def __init__(self, calls: list[str], *, fresh: bool) -> None:
        self.calls, self.fresh = calls, fresh

    def create_database(self, name: str) -> bool:
        del name
        return self.fresh

    def dump(self, database: str, path: Path) -> None:
        self.calls.append(f"dump {database}")
        path.write_text("")

    def restore(self, database: str, path: Path) -> None:
        assert path.exists()
        self.calls.append(f"restore {database}")


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Prepare the database of a state; return the calls."""
    (tmp_path / "environment").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))

    def prepare(state: str, *, fresh: bool) -> list[str]:
        calls: list[str] = []
        server: Any = Server(calls, fresh=fresh)
        metadata.prepare(State.open(tmp_path / state), server, lambda: calls.append("migrate"))
        return calls

    return prepare


def test_the_first_start_migrates_and_later_ones_restore(prepared: Any) -> None:
    assert prepared("one", fresh=True) == ["migrate", "dump airflow"]
    assert prepared("one", fresh=False) == []
    assert prepared("two", fresh=True) == ["restore airflow"]


def test_other_versions_migrate_the_existing_database(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepared("one", fresh=True) == ["migrate", "dump airflow"]
    monkeypatch.setattr(metadata, "_versions", lambda: "newer")
    assert prepared("one", fresh=False) == ["migrate"]
    assert prepared("two", fresh=True) == ["migrate", "dump airflow"], "the older dump isn't used"


def test_a_deleted_cluster_is_prepared_again(prepared: Any) -> None:
    prepared("one", fresh=True)
    assert prepared("one", fresh=True) == ["restore airflow"]
