"""What the DAGs of this repository declare, read once: that takes seconds."""

from __future__ import annotations

import pytest

from devstack.catalogue.facts import Facts
from devstack.catalogue.read import read


@pytest.fixture(scope="session")
def dags() -> list[Facts]:
    return read()
