"""Decompresses files, recognised by their first bytes, never by their name."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from include.core.errors import UnreadableError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
CHUNK = 1024 * 1024
LARGEST = 10_000_000_000


@contextmanager
def decompressed(file: BinaryIO, largest: int = LARGEST) -> Iterator[BinaryIO]:
    """Open the content of a plain, gzip or zstd file; a compressed one is written to a temporary file first.

    Args:
        file: the file; seekable.
        largest: maximum size of the content in bytes.

    Raises:
        UnreadableError: if a compressed file is truncated, damaged, or its content larger.
    """
    magic = file.read(len(ZSTD))
    file.seek(0)
    if magic.startswith(GZIP):
        source = cast("BinaryIO", gzip.GzipFile(fileobj=file))
    elif magic == ZSTD:
        source = cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(cast("io.IOBase", file), "r"), "zstd"))
    else:
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        try:
            _copy(source, copy, largest)
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            kind = "gzip" if magic.startswith(GZIP) else "zstd"
            raise UnreadableError(f"the file is {kind}, but truncated or damaged: {error}", byte=file.tell()) from error
        copy.seek(0)
        yield copy


def _copy(source: BinaryIO, copy: BinaryIO, largest: int) -> None:
    size = 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > largest:
            raise UnreadableError(f"the file's content is larger than {largest:,} bytes")
        copy.write(chunk)
