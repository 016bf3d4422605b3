from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.core.warehouse.connect import connect
from include.core.warehouse.schema import create_table
from tests.integration.warehouse.cases import WEATHER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.warehouse.connect import Session


@pytest.fixture
def session(warehouse: str) -> Iterator[Session]:
    """A session on a warehouse that has the table weather_data."""
    with connect(warehouse) as session:
        create_table(session, WEATHER)
        yield session
