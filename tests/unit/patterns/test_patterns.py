"""Every pattern of the code base takes linear time, whatever the text."""

from __future__ import annotations

import re

import pytest

from tests.unit.patterns.collect import Use, uses
from tests.unit.patterns.growth import slow_text

USES = list(uses())
AT_RUN_TIME = {
    "include/core/sources/model.py": "a source's pattern is only checked here; RE2 runs it, in linear time",
    "devstack/removal/gone.py": "alternatives of escaped names",
}


@pytest.mark.parametrize("use", [pytest.param(use, id=use.place) for use in USES if use.pattern])
def test_a_pattern_takes_linear_time(use: Use) -> None:
    assert use.pattern
    assert slow_text(use.pattern, once=use.once) == "", f"{use.place}: {use.pattern.pattern}"


def test_patterns_that_are_known_only_at_run_time_are_listed() -> None:
    assert {use.place.partition(":")[0] for use in USES if not use.pattern} <= AT_RUN_TIME.keys()


def test_all_patterns_are_found() -> None:
    files = {use.place.partition(":")[0] for use in USES}
    for path in ("ops/alerts/wording", "core/http/responses", "core/csv_files/reader", "core/sources/text"):
        assert f"include/{path}.py" in files


@pytest.mark.parametrize(
    ("pattern", "once"),
    [
        (r"(?:\w*_)?password", False),
        (r"\s+$", False),
        (r"[0-9a-f:]*:[0-9a-f:.]*", True),
        (r"(.*),(.*),x", True),
        (r"(a|b|ab)*c", True),
        (r"(a+)+c", True),
        (r"<!--.*?-->", False),
    ],
)
def test_a_slow_pattern_is_found(pattern: str, once: bool) -> None:
    assert slow_text(re.compile(pattern, re.DOTALL), once=once)


@pytest.mark.parametrize("pattern", [r"\w+", r"<[^<>]*>", r"(?s).{1,200}", r"a?b{3}(?=c)|(?<!d)e"])
def test_a_linear_pattern_is_accepted(pattern: str) -> None:
    assert slow_text(re.compile(pattern), once=False) == ""
