"""How several workers share the tests: a plugin of pytest that the Makefile names, for pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/gate/": "gate",
    "tests/unit/dags/": "DAGs",
    "tests/integration/access/": "API server",
    "tests/integration/runs/test_asset_run.py": "second stack",
    "tests/integration/runs/test_central_logs.py": "second stack",
    "tests/integration/runs/test_etl_run.py": "second stack",
    "tests/integration/runs/test_titanic_run.py": "second stack",
    "tests/integration/runs/": "stack",
    "tests/integration/titanic/": "MLflow",
    "tests/integration/wine/": "MLflow",
    "tests/e2e/compose/": "Compose stack",
    "tests/e2e/embedded/": "embedded stack",
}
"""Files and folders of which one worker runs all with the same name: of what takes long to start and is shared.

The first line that applies counts.
"""

FIRST = (
    "tests/e2e/compose/",
    "tests/integration/runs/test_every_dag.py",
    "tests/e2e/test_removal.py",
    "tests/integration/runs/test_asset_run.py",
    "tests/integration/runs/",
    "tests/integration/titanic/",
    "tests/integration/hostile/",
    "tests/e2e/test_folder.py",
    "tests/e2e/embedded/",
    "tests/gate/",
)
"""What takes longest, and is started first."""


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Assigns whole files to a worker, or all that share something in :data:`TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (name for folder, name in TOGETHER.items() if nodeid.startswith(folder))
        return next(shared, nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    """Use it instead of xdist's own, in collection order."""
    config.option.loadscopereorder = False
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what takes longest."""
    items.sort(key=lambda item: next((i for i, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))
