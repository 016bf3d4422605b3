"""Finds where a text can't be decoded."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1024 * 1024


class Place(NamedTuple):
    """A place in a file: line from 1, offset of the byte from 0."""

    line: int
    byte: int


def first_undecodable(file: BinaryIO, encoding: str) -> Place | None:
    """Return where a file isn't text in ``encoding``; ``None`` if it is."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    line, read = 1, 0
    for chunk in _chunks(file):
        try:
            line += decoder.decode(chunk, final=not chunk).count("\n")
        except UnicodeDecodeError as error:
            read += len(chunk)
            decoded = error.object[: error.start].decode(encoding, "replace")
            return Place(line + decoded.count("\n"), read - len(error.object) + error.start)
        read += len(chunk)
    return None


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the file's bytes, and then none."""
    while chunk := file.read(CHUNK):
        yield chunk
    yield b""
