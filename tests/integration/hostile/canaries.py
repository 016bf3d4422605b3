"""Secrets and contents that must appear nowhere, and the search for them."""

from __future__ import annotations

import gzip
import html
import json
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
from psycopg import sql

TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""
GZIP_MAGIC = b"\x1f\x8b"


class Canaries:
    """Texts to search for, by what each is."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._forms = {name: forms(text) for name, text in texts.items()}

    def found_in(self, content: bytes) -> list[str]:
        """Return the names of those that occur in ``content``, in any form."""
        return [name for name, encoded in self._forms.items() if any(form in content for form in encoded)]

    def in_files(self, paths: Iterable[Path]) -> list[str]:
        """Return ``name: file`` for each that a file or its name contains; compressed ones are decompressed."""
        return [f"{name}: {path}" for path in paths for name in self.found_in(_content(path) + str(path).encode())]

    def in_database(self, uri: str) -> list[str]:
        """Return ``name: table`` for each that a table of the database contains."""
        with psycopg.connect(uri) as session:
            tables = session.execute(TABLES).fetchall()
            return [f"{name}: {'.'.join(table)}" for table in tables for name in self.found_in(_rows(session, table))]


def forms(text: str) -> list[bytes]:
    """Return a text plain, quoted for URLs, JSON and HTML, in hexadecimal and within base64."""
    plain = text.encode()
    quoted = {quote(text, safe=""), quote(text), quote_plus(text), json.dumps(text)[1:-1], html.escape(text)}
    return [*dict.fromkeys([plain, *(form.encode() for form in quoted), plain.hex().encode(), *_in_base64(plain)])]


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Yield the characters that base64 has for ``plain``, whatever is before and after it."""
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            encoded = encode(b"\0" * before + plain)
            yield encoded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if content.startswith(GZIP_MAGIC):
        try:
            return content + gzip.decompress(content)
        except (OSError, EOFError, zlib.error):  # one of the inputs
            return content
    return content


def _rows(session: psycopg.Connection, table: tuple[str, ...]) -> bytes:
    with session.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*table))) as copy:
        return b"".join(copy)
