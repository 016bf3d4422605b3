"""How several workers share the tests: a plugin of pytest that the Makefile names, for pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/gate/",
    "tests/unit/dags/",
    "tests/integration/titanic/",
    "tests/e2e/compose/",
    "tests/e2e/embedded/",
)
"""Folders that one worker runs completely: their tests share what takes long to start."""

FIRST = (
    "tests/integration/runs/test_every_dag.py",
    "tests/integration/titanic/",
    "tests/integration/runs/test_asset_run.py",
    "tests/integration/runs/test_titanic_run.py",
    "tests/integration/runs/test_etl_run.py",
    "tests/integration/runs/",
    "tests/gate/",
    "tests/e2e/compose/",
    "tests/e2e/test_removal.py",
)
"""What takes longest, and is started first."""


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Assigns whole files to a worker, or all of a folder in :data:`TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        return next(filter(nodeid.startswith, TOGETHER), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    """Use it instead of xdist's own, in collection order."""
    config.option.loadscopereorder = False
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what takes longest."""
    items.sort(key=lambda item: next((i for i, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))
