"""How two workers share the tests: a plugin of pytest that `make test` names, for pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/integration/runs/", "tests/gate/", "tests/integration/titanic/")
"""Folders whose tests share what takes long to start, the one that takes longest first."""


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a worker whole files, or all of a folder in :data:`TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        return next(filter(nodeid.startswith, TOGETHER), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    """Use it in place of xdist's own, in the order in which the tests were collected."""
    config.option.loadscopereorder = False
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, which one worker does while the other does the rest."""
    items.sort(key=lambda item: next((i for i, folder in enumerate(TOGETHER) if item.nodeid.startswith(folder)), 9))
