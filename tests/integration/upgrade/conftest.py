"""Old installations, started with what is now."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devstack.api import Airflow
from devstack.follow import FINISHED
from devstack.stack import Stack
from tests.integration.conftest import folder_in_memory
from tests.integration.runs.conftest import started, until
from tests.integration.upgrade.archive import unpack
from tests.integration.upgrade.snapshot import Snapshot


@dataclass(frozen=True)
class Upgraded:
    """The running stack on old data, and what the old API showed."""

    stack: Stack
    before: Snapshot

    @property
    def airflow(self) -> Airflow:
        return Airflow.of(self.stack.state)

    def state(self, run: dict[str, Any]) -> str:
        """State of a run, when it has ended."""
        path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"

        def ended() -> str:
            state = self.airflow.get(path)["state"]
            return str(state) if state in FINISHED else ""

        return until(self.stack, ended, f"the end of {path}")


@contextmanager
def upgraded(factory: pytest.TempPathFactory, archive: Path, dags: Path, *, schedule: bool) -> Iterator[Upgraded]:
    """Start today's stack on the databases and files in ``archive``, with a copy of ``dags``."""
    with folder_in_memory(factory) as root:
        before = unpack(archive, root)
        copy = Path(shutil.copytree(dags, factory.mktemp("dags"), dirs_exist_ok=True))
        with started(root, copy, schedule=schedule) as stack:
            yield Upgraded(stack, before)


def missing(before: Snapshot, after: Snapshot) -> dict[str, list[str]]:
    """What the old API showed and the new one doesn't."""
    lost = {
        name: sorted(
            {json.dumps(item, sort_keys=True) for item in items}
            - {json.dumps(item, sort_keys=True) for item in after[name]}
        )
        for name, items in before.items()
    }
    return {name: items for name, items in lost.items() if items}
