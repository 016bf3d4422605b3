"""How long a worker waits for the API, as far as airflow.cfg decides it; tests/faults tries it."""

from __future__ import annotations

import random
from configparser import ConfigParser

import pytest
from tenacity import RetryCallState, Retrying, wait_random_exponential

from devstack.state import REPOSITORY

OUTAGE = 120.0  # seconds that cost no try
RETURN = 15.0  # seconds until a heartbeat arrives when the API is back

config = ConfigParser(interpolation=None)
config.read(REPOSITORY / "airflow.cfg")


@pytest.fixture(scope="module")
def totals() -> list[float]:
    """Seconds until a refused call fails, in a thousand cases, as airflow.sdk.api.client computes them."""
    workers = config["workers"]
    wait = wait_random_exponential(
        min=float(workers["execution_api_retry_wait_min"]), max=float(workers["execution_api_retry_wait_max"])
    )
    random.seed(1)
    return [sum(wait(state) for state in _attempts(int(workers["execution_api_retries"]))) for _ in range(1000)]


def _attempts(retries: int) -> list[RetryCallState]:
    states = []
    for number in range(1, retries):
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = number
        states.append(state)
    return states


def test_calls_are_repeated_for_longer_than_an_outage_of_two_minutes(totals: list[float]) -> None:
    assert min(totals) > OUTAGE + RETURN


def test_the_scheduler_waits_for_heartbeats_longer_than_an_outage_of_two_minutes() -> None:
    assert float(config["scheduler"]["task_instance_heartbeat_timeout"]) > OUTAGE + RETURN


def test_a_task_whose_heartbeats_are_refused_is_ended_before_the_scheduler_retries_it(totals: list[float]) -> None:
    failures = int(config["workers"]["max_failed_heartbeats"])
    assert failures * max(totals) < float(config["scheduler"]["task_instance_heartbeat_timeout"])
