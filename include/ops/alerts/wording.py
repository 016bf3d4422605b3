"""Describes schedules, durations, errors and a DAG's advice in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta

ERROR_LENGTH = 300
ADVICE_LENGTH = 400
SEARCHED = 10_000  # characters of a text that are searched for secrets; no more of it is shown
HIDDEN = "***"
# Patterns of secrets that are unknown to Airflow's masker.
SECRETS = (
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),  # user:password@host
    re.compile(r"(?<=hooks\.slack\.com/services/)\S+"),
    re.compile(r"\bxox[a-z]-[\w-]+"),  # Slack's tokens
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS access keys
    re.compile(
        r"""(?ix)(?<![a-z]) (?:password|passwd|secret|token|api_?key|appid|authorization) ["']? \s* [=:] \s*
        ["']? (?:bearer\s+|basic\s+)? (?P<value> [^\s"'&,;)]+)"""
    ),
)


def in_a_line(text: str, length: int = ERROR_LENGTH) -> str:
    """Return the text in one line of at most ``length`` characters.

    The secrets known to Airflow's masker are masked, and what matches a pattern of secrets.
    """
    from airflow.sdk._shared.secrets_masker import redact

    line = " ".join(str(redact(text)).split())[:SEARCHED]
    for pattern in SECRETS:
        line = pattern.sub(_hide, line)
    return line if len(line) <= length else line[: length - 1] + "…"


def error_in_a_line(error: BaseException | str | None) -> str:
    """Return ``Type: message``; empty if there is no error."""
    if error is None:
        return ""
    text = str(error)
    if isinstance(error, BaseException):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return in_a_line(text)


def schedule_in_words(timetable: Any) -> str:
    """Describe when a DAG runs: ``At 00:00, UTC``, ``when weather_data is updated``, ``by hand``."""
    if expression := getattr(timetable, "expression", None):
        return f"{_describe_cron(expression)}, {getattr(timetable, 'timezone', 'UTC')}"
    if condition := getattr(timetable, "asset_condition", None):
        return f"when {', '.join(sorted(_assets(condition))) or 'an asset'} is updated"
    if delta := getattr(timetable, "delta", None):
        return f"every {in_words(delta)}"
    name = type(timetable).__name__
    return "by hand" if name == "NullTimetable" else name.removesuffix("Timetable").lower()


def in_words(duration: timedelta) -> str:
    """Describe a duration in its two largest units: ``1 h 30 min``, ``5 s``."""
    seconds = round(duration.total_seconds(), 1 if duration.total_seconds() < 10 else None)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            parts.append(f"{int(seconds // size)} {unit}")
            seconds = int(seconds % size)
    if seconds or not parts:
        parts.append(f"{seconds:g} s")
    return " ".join(parts[:2])


def advice_of(doc: str | None) -> str:
    """Return the section ``On failure`` of a DAG's doc_md in one line."""
    section = re.search(r"^#+\s*on failure\s*$(.*?)(?=^#|\Z)", doc or "", re.IGNORECASE | re.MULTILINE | re.DOTALL)
    return in_a_line(section[1], ADVICE_LENGTH) if section else ""


def first_line(doc: str) -> str | None:
    """Return the first line of a documentation that has text, without the mark of a heading."""
    return next((text for line in doc.splitlines() if (text := line.strip(" #"))), None)


def _assets(condition: Any) -> set[str]:
    """Return the names of the assets in a condition, which may be nested."""
    if parts := getattr(condition, "objects", None):
        return set().union(*map(_assets, parts))
    return {str(getattr(condition, "name", None) or getattr(condition, "uri", "an asset"))}


def _describe_cron(expression: str) -> str:
    from cron_descriptor import ExpressionDescriptor, FormatException, MissingFieldException

    try:
        return str(ExpressionDescriptor(expression, use_24hour_time_format=True).get_description())
    except (FormatException, MissingFieldException):
        return f"cron {expression}"


def _hide(match: re.Match[str]) -> str:
    if "value" not in match.re.groupindex:
        return HIDDEN
    return match[0][: match.start("value") - match.start()] + HIDDEN
