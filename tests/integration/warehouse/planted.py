"""The guards of a load, and the change that takes each out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.warehouse import audit, guards, loader, publish, quarantine
from tests.integration.warehouse.mutation import mutate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    import pytest

    from include.core.warehouse.loader import LoadResult

    Load = Callable[..., LoadResult]

BEFORE = "content(session, dataset, dataset.name, "
CALLED = {
    audit: ("audit",),
    guards: ("lock", "fence", "require_newest"),
    publish: ("publish",),
    quarantine: ("quarantine",),
}
"""What the loader calls of each module."""
GUARDS: dict[str, tuple[ModuleType, str, str]] = {
    "lock": (
        guards,
        "SELECT pg_advisory_xact_lock(hashtextextended(%s || chr(31) || %s, 0))",
        "SELECT %s || chr(31) || %s",
    ),
    "fence": (guards, "WHERE (fence.run_started, fence.try_number) <= (excluded.run_started, excluded.try_number)", ""),
    "newest": (guards, "partition_key = %s AND requested_at > %s", "partition_key = %s AND requested_at < %s"),
    "merge": (loader, f"{BEFORE}condition)", f"{BEFORE}sql.SQL('false'))"),
    "comparison": (audit, "total) == published", "total) != published"),
    "key of the merge": (publish, "for name in dataset.key]", "for name in dataset.key[:1]]"),
    "audit": (loader, "audit(session, dataset, label, rows_in, expected, expected_rows, before)", "False"),
    "removal": (loader, "before, removes=complete and replace", "before, removes=False"),
    "partition of the removal": (publish, "condition, _same_key(dataset)", "sql.SQL('true'), _same_key(dataset)"),
    "completeness": (loader, "before, removes=complete and replace", "before, removes=replace"),
    "quarantine": (
        loader,
        "quarantine(session, dataset.name, label, attempt, load_id, refused)",
        "len(refused)",
    ),
    "quarantine once": (quarantine, "DELETE FROM quarantine", "SELECT FROM quarantine"),
}


def load_without(guard: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Load:
    """Return a loader that lacks a guard, for the rest of the test."""
    module, text, replacement = GUARDS[guard]
    mutant = mutate(module, text, replacement, folder)
    if module is loader:
        load: Load = mutant.load
        return load
    for name in CALLED[module]:
        monkeypatch.setattr(guards if module is guards else loader, name, getattr(mutant, name))
    return loader.load
