"""A CSV file at hand, wherever it lies: on a disk, in a bucket, or at an HTTP server."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import requests

from include.core.csv_files.dialect import CsvError
from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.http.egress import Egress, GuardedAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.storage import File

CHUNK = 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
CONNECT_SECONDS, SILENCE_SECONDS = 5, 30


@contextmanager
def from_storage(file: File) -> Iterator[BinaryIO]:
    """Open a file on a disk or in a bucket; the latter is first copied to a disk, so that a load doesn't wait."""
    with file.open("rb") as source:
        if file.protocol in {"", "file"}:
            yield source
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(source, copy, CHUNK)
            copy.seek(0)
            yield copy


@contextmanager
def from_http(url: str, largest: int) -> Iterator[BinaryIO]:
    """Download a file to a temporary one, and open it.

    Args:
        url: http(s) URL; only its own host is called.
        largest: bytes that may come.

    Raises:
        ForbiddenAddressError: if the host's address isn't public; see :mod:`include.core.http.egress`.
        PermanentUpstreamError: if the server refuses, or more bytes come.
        TransientUpstreamError: if it can't be reached or breaks off.
    """
    egress = Egress.to(url)
    with requests.Session() as session, tempfile.TemporaryFile() as copy:
        session.mount("http://", GuardedAdapter(egress))
        session.mount("https://", GuardedAdapter(egress))
        timeout = (CONNECT_SECONDS, SILENCE_SECONDS)
        try:
            with session.get(url, stream=True, allow_redirects=False, timeout=timeout) as response:
                if response.status_code >= 500 or response.status_code == 429:
                    raise TransientUpstreamError(f"{url} answered {response.status_code}", response.status_code)
                if response.status_code != 200:
                    raise PermanentUpstreamError(
                        f"{url} answered {response.status_code}; give the URL of the file itself", response.status_code
                    )
                for piece in response.iter_content(CHUNK):
                    copy.write(piece)
                    if copy.tell() > largest:
                        raise PermanentUpstreamError(f"{url}: more than {largest} bytes came; allow more, or split it")
        except requests.RequestException as error:
            raise TransientUpstreamError(f"{url}: {error}") from error
        copy.seek(0)
        yield copy


def as_text(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Return the text of a file, unpacked if it is gzip (told by its first bytes, not by its name)."""
    packed = file.read(2) == GZIP_MAGIC
    file.seek(0)
    plain = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
    return io.TextIOWrapper(plain, encoding=encoding, newline="")


def head(text: io.TextIOWrapper, lines: int) -> list[str]:
    """Return the first lines, and go back to the begin.

    Raises:
        CsvError: if they aren't in the encoding, or no text at all.
    """
    try:
        found = [text.readline(CHUNK) for _ in range(lines)]
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise CsvError(f"the file can't be read as {text.encoding}: {error}; give its encoding") from error
    text.seek(0)
    return found
