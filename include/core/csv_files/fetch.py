"""Opens a CSV file from a disk, a bucket or an HTTP server."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import requests
import urllib3

from include.core.csv_files.dialect import CsvError
from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.http.bodies import ACCEPT_ENCODING, CHUNK, decoded
from include.core.http.egress import Egress, GuardedAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.storage import File

GZIP_MAGIC = b"\x1f\x8b"
CONNECT_SECONDS, SILENCE_SECONDS = 5, 30


@contextmanager
def from_storage(file: File) -> Iterator[BinaryIO]:
    """Open a file on a disk or in a bucket; the latter is copied to a temporary file first."""
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
        url: http(s) URL; redirects aren't followed.
        largest: maximum size in bytes, without ``Content-Encoding``.

    Raises:
        ForbiddenAddressError: if the host's address isn't public; see :mod:`include.core.http.egress`.
        PermanentUpstreamError: if the server refuses, the file is larger, or its Content-Encoding isn't supported.
        TransientUpstreamError: if the server can't be reached, or the body is truncated or corrupt.
    """
    egress = Egress.to(url)
    with requests.Session() as session, tempfile.TemporaryFile() as copy:
        session.mount("http://", GuardedAdapter(egress))
        session.mount("https://", GuardedAdapter(egress))
        timeout = (CONNECT_SECONDS, SILENCE_SECONDS)
        try:
            headers = {"Accept-Encoding": ACCEPT_ENCODING}
            with session.get(url, headers=headers, stream=True, allow_redirects=False, timeout=timeout) as response:
                if response.status_code >= 500 or response.status_code == 429:
                    raise TransientUpstreamError(f"{url} answered {response.status_code}", response.status_code)
                if response.status_code != 200:
                    raise PermanentUpstreamError(
                        f"{url} answered {response.status_code}; use the URL of the file itself", response.status_code
                    )
                copy.writelines(
                    decoded(cast("BinaryIO", response.raw), response.headers.get("Content-Encoding"), largest, url)
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TransientUpstreamError(f"{url}: {error}") from error
        copy.seek(0)
        yield copy


def as_text(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Return the text of a file, decompressed if it is gzip (detected by its first bytes, not by its name)."""
    is_gzip = file.read(2) == GZIP_MAGIC
    file.seek(0)
    plain = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_gzip else file
    return io.TextIOWrapper(plain, encoding=encoding, newline="")


def head(text: io.TextIOWrapper, lines: int) -> list[str]:
    """Return the first lines, and rewind to the start.

    Raises:
        CsvError: if they can't be decoded.
    """
    try:
        first_lines = [text.readline(CHUNK) for _ in range(lines)]
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CsvError(f"the file can't be read as {text.encoding}: {error}; specify its encoding") from error
    text.seek(0)
    return first_lines
