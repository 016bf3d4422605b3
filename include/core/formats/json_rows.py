"""Reads the rows of a JSON document or of JSON lines, with exact numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from include.core import exact_json
from include.core.errors import UnreadableError
from include.core.http.responses import error_in

if TYPE_CHECKING:
    from collections.abc import Iterator

BOM = b"\xef\xbb\xbf"
LARGEST_DOCUMENT = 100_000_000
LONGEST_LINE = 8 * 1024 * 1024
PAGE = '{"data": [rows], …}'


def document_rows(file: BinaryIO) -> list[Any]:
    """Return the rows of a document: a list of rows, or an API's page with the list in ``data``.

    Raises:
        UnreadableError: if it is neither, larger than 100 MB, or not JSON in UTF-8.
    """
    content = file.read(LARGEST_DOCUMENT + 1)
    if len(content) > LARGEST_DOCUMENT:
        raise UnreadableError(f"the JSON document is larger than {LARGEST_DOCUMENT:,} bytes; use JSON lines")
    document = _parsed(content.removeprefix(BOM), 0, len(content) - len(content.removeprefix(BOM)))
    page = document if isinstance(document, dict) else {"data": document}
    rows, total = page.get("data"), page.get("total")
    reason = error_in(document, "data")
    if reason or not isinstance(rows, list):
        raise UnreadableError(
            f"the JSON document must be a list of rows, or a page {PAGE}{f'; it says: {reason}' if reason else ''}",
            line=1,
        )
    if total is not None and total != len(rows) and not page.get("next"):
        raise UnreadableError(f"the JSON document announces {str(total)[:60]} rows, but has {len(rows)}", line=1)
    return rows


def line_rows(file: BinaryIO) -> Iterator[Any]:
    """Yield the row of each line; only at the end may lines be blank.

    Raises:
        UnreadableError: if a line isn't JSON in UTF-8, or is longer than 8 MiB.
    """
    number = offset = blank = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise UnreadableError(f"line {number}: longer than {LONGEST_LINE:,} bytes", line=number, byte=offset)
        content = line.removeprefix(BOM) if number == 1 else line
        if not content.strip():
            blank = blank or number
        elif blank:
            raise UnreadableError(f"line {blank}: is blank; each line must be a row", line=blank)
        else:
            yield _parsed(content, number - 1, offset + len(line) - len(content))
        offset += len(line)


def _parsed(content: bytes, lines_before: int, offset: int) -> Any:
    try:
        return exact_json.loads(content.decode())
    except UnicodeDecodeError as error:
        line = lines_before + content.count(b"\n", 0, error.start) + 1
        byte = offset + error.start
        raise UnreadableError(
            f"line {line}: byte {byte} isn't UTF-8 ({error.reason}); JSON is UTF-8", line=line, byte=byte
        ) from error
    except ValueError as error:
        line = lines_before + getattr(error, "lineno", 1)
        message = getattr(error, "msg", str(error))
        raise UnreadableError(f"line {line}: isn't valid JSON: {message}", line=line) from error
