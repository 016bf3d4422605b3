from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devstack.upstreams.client import Control
from devstack.upstreams.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.fixture
def control(base_url: str) -> Iterator[Control]:
    control = Control(base_url)
    yield control
    control.reset()
