"""Loads of a dataset that concern only a part of a partition, such as one model's rows of a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from include.core.warehouse.errors import AuditError, SupersededError
from include.core.warehouse.loader import load
from tests.integration.warehouse.cases import DAY, FIRST, WEATHER, observation, published

if TYPE_CHECKING:
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.connect import Session
    from include.core.warehouse.loader import LoadResult

SIX, NINE = (datetime(2024, 6, 2, hour, tzinfo=UTC) for hour in (6, 9))


def publish(
    session: Session, city: str, *temperatures: float, at: datetime | None = None, attempt: Attempt = FIRST
) -> LoadResult:
    dataset = replace(WEATHER, only=("city", city), minimum_rows=0)
    rows: list[Any] = [observation(city, temperature) for temperature in temperatures]
    return load(session, dataset, partition=DAY, rows=rows, attempt=attempt, requested_at=at)


def test_a_part_is_replaced_and_removed_on_its_own(session: Session) -> None:
    publish(session, "London", 10)
    publish(session, "Oslo", 1)
    publish(session, "London", 11)
    assert published(session) == {"London": 11, "Oslo": 1}
    shown: list[Any] = []
    publish(session, "Oslo", attempt=replace(FIRST, previews=shown))
    assert (shown[0].changes.added, shown[0].changes.changed, shown[0].changes.removed) == (0, 0, 1)
    assert publish(session, "Oslo").removed == 1
    assert published(session) == {"London": 11}


def test_only_later_rows_of_the_same_part_supersede(session: Session) -> None:
    publish(session, "London", 10, at=NINE)
    publish(session, "Oslo", 1, at=SIX)
    with pytest.raises(SupersededError):
        publish(session, "London", 9, at=SIX)
    assert published(session) == {"London": 10, "Oslo": 1}


def test_rows_of_another_part_are_refused(session: Session) -> None:
    dataset = replace(WEATHER, only=("city", "London"))
    with pytest.raises(AuditError, match="city is London"):
        load(session, dataset, partition=DAY, rows=[observation("Oslo", 1)], attempt=FIRST)


@pytest.mark.parametrize("name", ["temperature", "conditions"])
def test_a_part_is_named_by_a_text_of_the_key(name: str) -> None:
    with pytest.raises(ValueError, match=f"only names '{name}', which isn't a text in the key"):
        replace(WEATHER, only=(name, "1"))
