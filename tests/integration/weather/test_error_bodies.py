"""Weather APIs that send an error with status 200."""

from __future__ import annotations

import json

import pytest

from include.core.errors import TransientUpstreamError
from include.domains.weather.cities import load_cities
from tests.integration.http.answers import answering
from tests.integration.weather.conftest import DAY, PATHS, REQUESTED_ON, Build


@pytest.mark.parametrize("api", PATHS)
@pytest.mark.parametrize(
    "body", [{"error": True, "reason": "Something is wrong here."}, {"cod": 500, "message": "Something is wrong here."}]
)
def test_its_reason_is_shown_and_it_is_retried(build: Build, api: str, body: dict[str, object]) -> None:
    with (
        answering(json.dumps(body).encode()) as url,
        pytest.raises(TransientUpstreamError, match=r"answered with an error: Something is wrong here\."),
    ):
        build(api, fields={"host": url}, deadline=30, silence=20).fetch(load_cities(), DAY, REQUESTED_ON)


def test_the_key_is_masked(build: Build, key: str) -> None:
    with (
        answering(json.dumps({"message": f"{key} is unknown"}).encode()) as url,
        pytest.raises(TransientUpstreamError, match=r"answered with an error: \*\*\* is unknown"),
    ):
        build("openweathermap", fields={"host": url}, deadline=30, silence=20).fetch(load_cities(), DAY, REQUESTED_ON)
