"""Regular expressions that DuckDB (RE2), PostgreSQL and dbt read alike, in linear time."""

from __future__ import annotations

import re
from functools import cache

MOST_REPEATED = 255
"""Largest count of a repetition in PostgreSQL."""
LARGEST = 1000
"""Characters that a pattern may stand for with its repetitions written out, unbounded ones once; RE2's own limit."""

SHORTHANDS = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}  # as in RE2: PostgreSQL's include all of Unicode
ESCAPE = r"\\(?:[nrtfv]|[!-/:-@\[-^`{-~])"
CHARACTER = rf"(?:{ESCAPE}|[^\\^$.|?*+()\[\]{{}}\0\ud800-\udfff])"
MEMBER = rf"(?:{ESCAPE}|[^\\\[\]^\-\0\ud800-\udfff])"
RANGE = re.compile(rf"\\(?P<shorthand>[dws])|(?P<low>{MEMBER})-(?P<high>{MEMBER})|(?P<single>{MEMBER}|-(?=$)|(?<!.)-)")
TOKEN = re.compile(
    r"(?P<any>\.)|(?P<open>\((?:\?:)?)(?!\?)|(?P<close>\))|(?P<or>\|)|(?P<shorthand>\\[dDwWsS])"
    r"|\[(?P<negated>\^?)(?P<members>(?:\\.|[^\\\[\]])+)\]"
    rf"|(?P<repeat>[*+?]|\{{(?P<least>[0-9]{{1,4}})(?:,(?P<most>[0-9]{{0,4}}))?\}})|(?P<character>{CHARACTER})",
    re.DOTALL,
)
ALLOWED = r"characters, . [ ] ( ) (?: ) | * + ? {m,n} \d \w \s \D \W \S, and \ before a punctuation mark"


@cache
def portable(pattern: str) -> str:
    r"""Return a pattern for the same texts that means the same in RE2 and in PostgreSQL.

    ``^`` and ``$`` at its ends are dropped, since the whole text has to match; a leading ``(?s)`` lets ``.`` match line
    feeds.

    Raises:
        ValueError: if it has what one of the two lacks, such as a back-reference, or understands differently, such as
            ``\b``; or if it is too large.
    """
    body = pattern.removeprefix("(?s)")
    anything = r"[^\n]" if body == pattern else r"(?:[^\n]|\n)"
    body = body.removeprefix("^")
    if body.endswith("$") and (len(body) - len(body[:-1].rstrip("\\"))) % 2:
        body = body[:-1]
    written: list[str] = []
    sizes = [0]  # of the pattern, and of each open group
    last: int | None = None  # size of what a repetition would repeat
    position = 0
    while position < len(body):
        token = TOKEN.match(body, position)
        if token is None:
            raise ValueError(f"has {body[position : position + 4]!r}, which isn't allowed; allowed: {ALLOWED}")
        position = token.end()
        if token["repeat"]:
            if last is None:
                raise ValueError(f"has {token['repeat']!r} without a single item before it")
            sizes[-1] += last * (_count(token) - 1)
            last = None
            written.append(token["repeat"])
        elif token["open"]:
            sizes.append(0)
            last = None
            written.append("(?:")
        elif token["close"]:
            if len(sizes) == 1:
                raise ValueError("has ')' without '('")
            last = sizes.pop()
            sizes[-1] += last
            written.append(")")
        elif token["or"]:
            last = None
            written.append("|")
        else:
            last = 1
            sizes[-1] += 1
            written.append(anything if token["any"] else _item(token))
        if max(sizes) > LARGEST:
            raise ValueError(f"is larger than {LARGEST} characters with its repetitions written out")
    if len(sizes) > 1:
        raise ValueError("has '(' without ')'")
    return "".join(written)


def _count(token: re.Match[str]) -> int:
    """Return how often a repetition repeats at most, and at least if that has no limit."""
    if token["least"] is None:
        return 1
    least = int(token["least"])
    most = int(token["most"] or least)
    if not least <= most <= MOST_REPEATED:
        raise ValueError(f"has {token['repeat']!r}; the counts must increase, up to {MOST_REPEATED}")
    return max(most, 1)


def _item(token: re.Match[str]) -> str:
    if token["character"]:
        return _escaped(token["character"])
    if token["shorthand"]:
        letter = token["shorthand"][1]
        return f"[{'^' if letter.isupper() else ''}{SHORTHANDS[letter.lower()]}]"
    members, position, written = token["members"], 0, ""
    while position < len(members):
        item = RANGE.match(members, position)
        if item is None:
            raise ValueError(f"has [{members}], in which {members[position:][:2]!r} isn't allowed without \\ before it")
        position = item.end()
        if item["shorthand"]:
            written += SHORTHANDS[item["shorthand"]]
        elif item["low"]:
            if _plain(item["low"]) > _plain(item["high"]):
                raise ValueError(f"has [{members}], in which {item[0]!r} is in the wrong order")
            written += f"{_escaped(item['low'])}-{_escaped(item['high'])}"
        else:
            written += _escaped(item["single"])
    return f"[{token['negated']}{written}]"


def _plain(character: str) -> str:
    escapes = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
    return character if len(character) == 1 else escapes.get(character[1], character[1])


def _escaped(character: str) -> str:
    """Return a character with a backslash before it if it is ASCII punctuation; an escape stays as it is."""
    is_special = len(character) == 1 and character.isascii() and character.isprintable() and not character.isalnum()
    return f"\\{character}" if is_special and character not in "_ " else character
