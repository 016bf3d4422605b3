"""Reads the header ``Link`` (RFC 8288)."""

from __future__ import annotations

import re

LONGEST = 8000
LINK = re.compile(r"""<([^<>\s]+)>((?:;[^",;]*(?:"[^"]*"[ \t]*)?)*)(?:,|$)""")
RELATIONS = re.compile(r""";\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))""", re.IGNORECASE)


def next_link(header: str) -> str | None:
    """Return the target of the link with the relation ``next``; ``None`` if there is none.

    Raises:
        ValueError: if the header is malformed, or has several such links.
    """
    if len(header) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} characters")
    targets, rest = [], header.strip()
    while rest:
        if not (link := LINK.match(rest)):
            raise ValueError(f"it can't be read from {rest[:80]!r}")
        relation = RELATIONS.search(link[2])
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            targets.append(link[1])
        rest = rest[link.end() :].lstrip()
    if len(set(targets)) > 1:
        raise ValueError("it has several links with rel=next")
    return targets[0] if targets else None
