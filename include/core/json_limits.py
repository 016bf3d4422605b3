"""Limits of the JSON that a person sends to Airflow, such as a run's conf.

Airflow's components pass it on in msgpack, which has no larger integers, no lone surrogates and no endless nesting: the
DAG processor ends if it has to, and again after each restart. PostgreSQL's jsonb turns a large float into an integer.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from include.core import exact_json
from include.core.warehouse.storable import UNSTORABLE, is_storable

SMALLEST, LARGEST = -(2**63), 2**63 - 1
DEEPEST = 32  # levels of arrays and objects
LARGEST_CONF = 65_536  # bytes of a request with one of:
STORED_WITH_RUNS = ("conf", "dag_run_conf", "extra", "params_input")
SHOWN = 60

Place = tuple["Place", str] | None


def is_in_range(number: float | Decimal) -> bool:
    """Return whether a number is finite and fits into 64 bits."""
    return bool(SMALLEST <= number <= LARGEST)


def problem_in(body: bytes) -> str | None:
    """Return what is wrong with a request's body, and what is allowed; ``None`` if nothing is, or it isn't JSON."""
    try:
        content = exact_json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    except ValueError as error:
        return f"the JSON can't be read: {error}; allowed: {DEEPEST} levels, numbers from {SMALLEST} to {LARGEST}"
    if len(body) > LARGEST_CONF and isinstance(content, dict):
        for name in STORED_WITH_RUNS:
            if isinstance(content.get(name), dict | list):
                return f"{name}: the request has {len(body)} bytes; allowed: {LARGEST_CONF}. Pass the URL of a file"
    return problem_in_values(content)


def problem_in_values(content: Any) -> str | None:
    """Return what is wrong with a parsed JSON text, and what is allowed; ``None`` if nothing is."""
    level: list[tuple[Place, Any]] = [(None, content)]
    for _ in range(DEEPEST + 1):
        children: list[tuple[Place, Any]] = []
        for place, value in level:
            if isinstance(value, dict):
                if name := next((name for name in value if not is_storable(name)), None):
                    return f"{_named((place, name))}: in a name, {UNSTORABLE}"
                children += (((place, name), item) for name, item in value.items())
            elif isinstance(value, list):
                children += (((place, f"[{index}]"), item) for index, item in enumerate(value))
            elif isinstance(value, str):
                if not is_storable(value):
                    return f"{_named(place)}: {UNSTORABLE}"
            elif isinstance(value, int | float | Decimal) and not is_in_range(value):
                return f"{_named(place)}: {_shortened(str(value))} is out of range; allowed: {SMALLEST} to {LARGEST}"
        if not children:
            return None
        level = children
    return f"{_named(level[0][0])}: nested more than {DEEPEST} levels deep"


def _named(place: Place) -> str:
    steps: list[str] = []
    while place is not None:
        place, step = place
        steps.append(step if step.startswith("[") else f".{step}")
    return _shortened(ascii("".join(reversed(steps)).removeprefix("."))[1:-1]) or "the body"


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
