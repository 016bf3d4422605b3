"""A block of a rate limit is bounded, and can be lifted."""

from __future__ import annotations

import pytest

from include.core.http.rate_limit import RateLimiter, RateLimitError
from include.core.warehouse.connect import connect


@pytest.mark.parametrize("seconds", [1e20, float("inf"), 3e11])
def test_a_block_lasts_an_hour_at_most(warehouse: str, seconds: float) -> None:
    limiter = RateLimiter(warehouse, "upstream", calls=10)
    limiter.penalise(seconds)
    with pytest.raises(RateLimitError) as caught:
        limiter.acquire(timeout=0)
    assert 3590 < caught.value.wait <= 3600
    with connect(warehouse) as session:
        session.execute("UPDATE rate_limit SET held_until = '-infinity' WHERE upstream = 'upstream'")
    limiter.acquire(timeout=0)


def test_a_block_of_no_duration_is_refused(warehouse: str) -> None:
    with pytest.raises(ValueError, match="use 0 or more"):
        RateLimiter(warehouse, "upstream").penalise(float("nan"))
