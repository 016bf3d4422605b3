"""Keep Airflow's files out of the home folder: whatever test imports it first finds a folder of its own.

The servers that the tests start listen on the loopback interface, so it may be called. Which tests a worker gets is
decided here too.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

home = tempfile.TemporaryDirectory(prefix="spellbook-airflow-")
atexit.register(home.cleanup)
os.environ["AIRFLOW_HOME"] = home.name
os.environ["AIRFLOW_CONFIG"] = str(Path(__file__).parent.parent / "airflow.cfg")
os.environ["SPELLBOOK_PRIVATE_NETWORKS"] = "127.0.0.0/8,::1"

TOGETHER = ("tests/integration/runs/", "tests/gate/", "tests/integration/ml/")
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
