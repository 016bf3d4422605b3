"""Finds texts for which a pattern takes more than linear time, from the pattern's own syntax tree."""

from __future__ import annotations

import math
import re
import signal
import time
from collections.abc import Callable, Iterator
from itertools import chain
from re import _parser  # type: ignore[attr-defined]  # the documented module sre_parse is deprecated
from types import FrameType
from typing import Any

LONGEST = 64 * 1024
MEASURABLE = 0.01  # CPU seconds
LIMIT = 10  # time for four times the text: 4 if linear, 16 if quadratic
ENDLESS = 1  # CPU seconds
TAILS = ("", "\0", "\n!")
COMMON = "a1_ \n"
CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}


def slow_text(pattern: re.Pattern[str], *, once: bool) -> str:
    """Return a text, described, for which the time grows more than linearly; empty if none is found.

    Args:
        pattern: the pattern.
        once: whether it is only tried at the start of a text.
    """
    run: Callable[[str], object] = pattern.fullmatch if once else lambda text: pattern.sub("", text)
    previous = signal.signal(signal.SIGVTALRM, _give_up)
    try:
        for head, repeated, tail in _attacks(pattern):
            for times in _sizes(len(repeated)):
                text = head + repeated * times + tail
                seconds = _seconds(run, text)
                if seconds < MEASURABLE:
                    continue
                if math.isinf(seconds) or _growth(run, head, repeated, tail, times) > LIMIT:
                    return f"{head!r} + {repeated!r} * {times} + {tail!r}: {seconds:.3f} s"
                break
    finally:
        signal.signal(signal.SIGVTALRM, previous)
    return ""


def _sizes(length: int) -> Iterator[int]:
    times = 16
    while times * length <= LONGEST:
        yield times
        times *= 2


def _growth(run: Callable[[str], object], head: str, repeated: str, tail: str, times: int) -> float:
    """Return the ratio of the times for a text and a quarter of it; the best of three, since others use the machine."""
    long, short = head + repeated * times + tail, head + repeated * (times // 4) + tail
    best = [min(_seconds(run, text) for _ in range(3)) for text in (long, short)]
    return best[0] / max(best[1], 1e-6)


def _seconds(run: Callable[[str], object], text: str) -> float:
    """Return the CPU time; infinity if it is too long, as that of an exponential pattern.

    The clock of the process would be coarse, because of the timer.
    """
    start = time.thread_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS)
    try:
        run(text)
    except TimeoutError:
        return math.inf
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return time.thread_time() - start


def _give_up(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TimeoutError


def _attacks(pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """Yield what may be slow: what the pattern repeats, after what precedes it, and then what it doesn't match."""
    tree = list(_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    whole = _sample(tree)
    heads_and_repeated = {("", text) for text in [*whole, *COMMON]}
    heads_and_repeated |= {("", whole[:length]) for length in range(1, 40)}
    for head, body in _repeats(tree, ""):
        heads_and_repeated |= {(head, body), ("", body), ("", head + body), *((head, text) for text in COMMON)}
    for head, repeated in sorted(heads_and_repeated):
        for tail in TAILS if repeated else ():
            yield head, repeated, tail


def _repeats(tree: Any, head: str) -> Iterator[tuple[str, str]]:
    """Yield a match of each repeated part of a pattern, after a match of what precedes it."""
    for item in tree:
        match str(item[0]), item[1]:
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (_, _, body):
                yield head, _sample(body)
                yield from _repeats(body, head)
            case "SUBPATTERN", (*_, body):
                yield from _repeats(body, head)
            case "ASSERT" | "ASSERT_NOT", (_, body):
                yield from _repeats(body, head)
            case "BRANCH", (_, branches):
                for branch in branches:
                    yield head, _sample(branch)
                    yield from _repeats(branch, head)
        head += _sample([item])


def _sample(tree: Any) -> str:
    """Return a text that a part of a pattern matches."""
    return "".join(_sample_of(str(kind), value) for kind, value in tree)


def _sample_of(kind: str, value: Any) -> str:
    match kind, value:
        case "LITERAL", _:
            return chr(value)
        case "ANY", _:
            return "a"
        case "IN" | "NOT_LITERAL", _:
            return _member(kind, value)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (least, most, body):
            return _sample(body) * int(max(least, min(most, 1)))
        case "SUBPATTERN", (*_, body):
            return _sample(body)
        case "BRANCH", (_, branches):
            return _sample(branches[0])
        case "ASSERT", (_, body):
            return _sample(body)
        case "ATOMIC_GROUP", _:
            return _sample(value)
        case "AT" | "ASSERT_NOT" | "GROUPREF", _:
            return ""
    raise NotImplementedError(kind)


def _member(kind: str, value: Any) -> str:
    """Return a character of a class."""
    items = [("LITERAL", value)] if kind == "NOT_LITERAL" else [(str(name), item) for name, item in value]
    is_negated = kind == "NOT_LITERAL" or items[0][0] == "NEGATE"
    members = "".join(_source(name, item) for name, item in items if name != "NEGATE")
    pattern = re.compile(f"[{'^' if is_negated else ''}{members}]")
    return next(character for character in map(chr, chain(b"a1_- \n", range(0x110000))) if pattern.match(character))


def _source(kind: str, value: Any) -> str:
    match kind, value:
        case "LITERAL", code:
            return re.escape(chr(code))
        case "RANGE", (first, last):
            return f"{re.escape(chr(first))}-{re.escape(chr(last))}"
    return CATEGORIES[str(value)]
