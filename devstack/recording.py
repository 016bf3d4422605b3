"""Whose recordings the bundled APIs replay, as they tell themselves."""

from __future__ import annotations

from devstack.environment import ask, local_url
from devstack.state import State

WEATHER = "openweather_daily"


def credit(state: State, dataset: str = WEATHER) -> str:
    """Ask the running server for the licence of a recorded data set and whom to name; return both in a line."""
    about = ask(f"{local_url(state, 'upstreams')}/about", timeout=10).json()
    found = next(each for each in about["datasets"] if each["name"] == dataset)
    return f"{found['licence']}. {found['attribution']}"
