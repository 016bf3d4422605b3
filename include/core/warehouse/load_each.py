"""Runs several loads of one task."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from include.core.warehouse.errors import SupersededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger(__name__)


def load_each(load: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call ``load`` with each item, such as a day; a superseded one is logged and doesn't hold up the others.

    Returns:
        The results of the loads that weren't superseded.

    Raises:
        SupersededError: if every load is superseded.
    """
    superseded, results = None, []
    for item in items:
        try:
            results.append(load(item))
        except SupersededError as error:
            log.warning(error)
            superseded = error
    if superseded and not results:
        raise superseded
    return results
