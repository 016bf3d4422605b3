"""Decodes the bodies of HTTP responses; nothing is guessed, and a truncated body is an error."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO, TYPE_CHECKING

from include.core.errors import PermanentUpstreamError, TransientUpstreamError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1024 * 1024
ACCEPT_ENCODING = "gzip"
PLAIN, GZIP = {"", "identity"}, {"gzip", "x-gzip"}


def decoded(raw: IO[bytes], encoding: str | None, largest: int, where: str) -> Iterator[bytes]:
    """Yield the chunks of a body without its ``Content-Encoding``.

    The libraries' own decoders accept a gzip stream without its end, so they aren't used.

    Args:
        raw: the body as sent.
        encoding: the header ``Content-Encoding``.
        largest: maximum number of decoded bytes.
        where: what was requested, for messages.

    Raises:
        PermanentUpstreamError: if the encoding isn't supported, or the body is larger.
        TransientUpstreamError: if the body is truncated or corrupt.
    """
    name = _name(encoding)
    if name not in PLAIN | GZIP:
        raise PermanentUpstreamError(f"{where}: Content-Encoding {name!r} isn't supported; allowed: gzip, identity")
    stream = gzip.GzipFile(fileobj=raw, mode="rb") if name in GZIP else raw
    size = 0
    try:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > largest:
                raise PermanentUpstreamError(
                    f"{where}: larger than {largest} bytes; raise the limit or split the content"
                )
            yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TransientUpstreamError(f"{where}: the gzip body is truncated or corrupt: {error}") from error


def is_plain(encoding: str | None) -> bool:
    """Return whether a body with this ``Content-Encoding`` is sent as it is."""
    return _name(encoding) in PLAIN


def json_text(raw: bytes, encoding: str | None, largest: int, where: str) -> str:
    """Return the text of a JSON body, which is UTF-8 whatever its Content-Type says (RFC 8259, 8.1).

    A byte order mark is removed. For the arguments and further errors see :func:`decoded`.

    Raises:
        PermanentUpstreamError: if it isn't UTF-8, naming the position of the first invalid byte.
    """
    body = b"".join(decoded(io.BytesIO(raw), encoding, largest, where))
    try:
        return body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise TransientUpstreamError(f"{where}: the response ends within a character") from error
        raise PermanentUpstreamError(
            f"{where}: the response isn't UTF-8: byte 0x{body[error.start]:02x} at position {error.start}."
            " JSON must be UTF-8; have the API corrected"
        ) from error


def any_text(raw: bytes, encoding: str | None, largest: int) -> str:
    """Return as much of the text of a body as can be read; for the arguments see :func:`decoded`."""
    try:
        return json_text(raw, encoding, largest, "")
    except UpstreamError:
        return raw.decode(errors="backslashreplace")


def _name(encoding: str | None) -> str:
    return (encoding or "").strip().lower()
