"""Exactly one message, on the right channel, with the right words, whatever fails; not without the outbox."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.alerts.bench import Bench, WithoutOutbox
from tests.integration.alerts.scenarios import NEED_THE_OUTBOX, SURVIVE_A_DIRECT_SEND, Scenario

Make = Callable[..., Bench]


def name(scenario: Scenario) -> str:
    return scenario.__name__


@pytest.mark.parametrize("scenario", [*SURVIVE_A_DIRECT_SEND, *NEED_THE_OUTBOX], ids=name)
def test_with_the_outbox(make_bench: Make, scenario: Scenario) -> None:
    scenario(make_bench())


@pytest.mark.parametrize("scenario", NEED_THE_OUTBOX, ids=name)
def test_fails_without_the_outbox(make_bench: Make, scenario: Scenario) -> None:
    with pytest.raises(AssertionError):
        scenario(make_bench(WithoutOutbox))
