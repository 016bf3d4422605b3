"""Items computed in a thread, ahead of their use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from include.core.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_items_come_in_order_and_an_error_in_its_place() -> None:
    def failing() -> Iterator[int]:
        yield from (0, 1, 2)
        raise ValueError("broken")

    values = ahead(failing())
    assert [next(values) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(values)
    assert list(ahead([])) == []


def test_the_next_item_is_computed_while_one_is_used() -> None:
    is_computed = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        is_computed.set()
        yield 2

    values = ahead(items())
    assert next(values) == 1
    assert is_computed.wait(60)
    assert list(values) == [2]


def test_no_thread_is_left_of_items_that_are_not_used() -> None:
    before = threading.active_count()
    values = ahead(iter(range(10)))
    assert next(values) == 0
    values.close()
    assert threading.active_count() == before
