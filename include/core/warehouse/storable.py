"""Text that PostgreSQL can store."""

from __future__ import annotations

UNSTORABLE = "the text contains a NUL character or a lone surrogate, which PostgreSQL can't store"


def storable_text(text: str) -> str:
    """Return ``text`` with the characters that PostgreSQL can't store escaped."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\0", r"\x00")


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store ``text``."""
    return "\0" not in text and (text.isascii() or storable_text(text) == text)
