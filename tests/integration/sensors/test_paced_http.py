"""The sensor against a server that refuses for a while: how often it polls, and that it ends."""

from __future__ import annotations

import asyncio
import json

import pytest
from airflow.sdk.exceptions import TaskDeferred

from devstack.upstreams.client import Control
from spellbook.sensors.http import PacedHttpSensor, PacedHttpTrigger

PAUSE = 0.4
NOT_YET = "2099-12-25"  # a day that the sample upstreams don't have yet
# The provider's own sensor still imports it from its old module.
pytestmark = pytest.mark.filterwarnings("ignore:.*determine_kwargs")


@pytest.fixture(autouse=True)
def _tills(upstreams: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TILLS_DEFAULT", json.dumps({"conn_type": "http", "host": upstreams}))


def trigger_for(day: str) -> PacedHttpTrigger:
    """What the sensor hands to the triggerer after its first request."""
    sensor = PacedHttpSensor(
        task_id="wait",
        http_conn_id="tills_default",
        endpoint="sales",
        request_params={"date": day},
        poke_interval=PAUSE,
        timeout=60,
        deferrable=True,
    )
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    path, arguments = deferred.value.trigger.serialize()
    assert path == "spellbook.sensors.http.PacedHttpTrigger"
    return PacedHttpTrigger(**arguments)


async def first_event(trigger: PacedHttpTrigger, seconds: float) -> object:
    """The payload of the first event, ``None`` if there is none in so many seconds."""
    try:
        event = await asyncio.wait_for(anext(aiter(trigger.run())), seconds)
    except TimeoutError:
        return None
    return event.payload


@pytest.mark.parametrize("status", [401, 404])
def test_the_server_is_polled_at_the_interval_whatever_it_responds(control: Control, status: int) -> None:
    trigger = trigger_for(NOT_YET)
    with control.scenario("client_error", path="/sales", match={}, times=None, status=status) as rule:
        assert asyncio.run(first_event(trigger, 4 * PAUSE)) is None
        assert 2 <= rule.played <= 5


def test_the_trigger_fires_when_the_day_is_closed(control: Control) -> None:
    trigger = trigger_for(NOT_YET)
    trigger.data = {"date": "2010-12-20", "limit": "1"}
    with control.scenario("client_error", path="/sales", match={}, times=1, status=404):
        assert asyncio.run(first_event(trigger, 60)) is True
