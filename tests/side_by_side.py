"""How two workers share the tests: a plugin of pytest that `make test` names, for pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/gate/", "tests/integration/titanic/")
"""Folders that one worker runs whole: their tests share what takes long to start."""

FIRST = (
    "tests/integration/runs/test_every_dag.py",
    "tests/integration/titanic/",
    "tests/integration/devstack/test_removal.py",
    "tests/integration/runs/test_asset_run.py",
    "tests/integration/runs/test_titanic_run.py",
    "tests/integration/runs/test_etl_run.py",
    "tests/integration/runs/",
    "tests/gate/",
)
"""What takes longest, which is begun first."""


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a worker whole files, or all of a folder in :data:`TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        return next(filter(nodeid.startswith, TOGETHER), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    """Use it in place of xdist's own, in the order in which the tests were collected."""
    config.option.loadscopereorder = False
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: next((i for i, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))
