"""What kind of file it is, and where it can't be read."""

from __future__ import annotations

import gzip
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.core.errors import UnreadableError
from include.core.formats.compression import decompressed
from include.core.formats.json_rows import document_rows, line_rows
from include.core.formats.recognise import encoding_of, recognise

ROWS = b'{"id": 1}\n{"id": 2}\n' * 5000


def zstd(content: bytes) -> bytes:
    target = pa.BufferOutputStream()
    with pa.CompressedOutputStream(target, "zstd") as stream:
        stream.write(content)
    return bytes(target.getvalue())


def content_of(file: bytes, **options: Any) -> bytes:
    with decompressed(io.BytesIO(file), **options) as content:
        return content.read()


@pytest.mark.parametrize(
    "file",
    [ROWS, gzip.compress(ROWS), zstd(ROWS), gzip.compress(ROWS) * 2, zstd(ROWS) * 2],
    ids=["plain", "gzip", "zstd", "two gzip", "two zstd"],
)
def test_compression_is_recognised_by_content(file: bytes) -> None:
    content = content_of(file)
    assert content == ROWS * (len(content) // len(ROWS))
    assert len(content) >= len(ROWS)


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
@pytest.mark.parametrize("kept", [5, 20, 0.3, 0.9, -1, -4])
def test_a_truncated_file_is_refused(compress: Any, kept: float) -> None:
    whole = compress(ROWS)
    cut = whole[: int(kept * len(whole)) if isinstance(kept, float) else kept]
    with pytest.raises(UnreadableError, match="truncated or damaged"):
        content_of(cut)


@pytest.mark.parametrize("damage", [lambda whole: whole[:40] + b"\0\xff" + whole[42:], lambda whole: whole + b"more"])
def test_damage_and_what_follows_the_end_are_refused(damage: Any) -> None:
    with pytest.raises(UnreadableError, match="truncated or damaged"):
        content_of(damage(gzip.compress(ROWS)))
    with pytest.raises(UnreadableError, match="truncated or damaged"):
        content_of(zstd(ROWS) + b"more")


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_a_bomb_is_refused(compress: Any) -> None:
    with pytest.raises(UnreadableError, match="content is larger than 1,000 bytes"):
        content_of(compress(bytes(1_000_000)), largest=1000)


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [1]}), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"id,name\n", "csv"),
        ("a.CSV.gz", b"id,name\n", "csv"),
        ("https://x/a.ndjson.zst", ROWS, "jsonl"),
        ("a.json", ROWS, "json"),
        ("a.parquet", parquet(), "parquet"),
        ("a", parquet(), "parquet"),
        ("a", b"id,name\n", "csv"),
        ("a.bin", ROWS, "jsonl"),
        ("a.bin", b'{"id": 1}\n', "json"),
        ("a", b'\xef\xbb\xbf {"data":\n [{"id": 1}]}\n', "json"),
        ("a", b'[{"id": 1},\n {"id": 2}]', "json"),
    ],
)
def test_the_format_is_said_by_the_name_or_else_by_the_content(name: str, content: bytes, expected: str) -> None:
    assert recognise(io.BytesIO(content), name) == expected


@pytest.mark.parametrize(("name", "content"), [("a.csv", parquet()), ("a.parquet", b"id\n1\n"), ("a.csv", b"")])
def test_a_contradiction_and_an_empty_file_are_refused(name: str, content: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"name says|is empty"):
        recognise(io.BytesIO(content), name)


def test_an_encoding_is_said_by_a_byte_order_mark() -> None:
    assert encoding_of(io.BytesIO("ä".encode("utf-16"))) == "utf-16"
    assert encoding_of(io.BytesIO("ä".encode())) == "utf-8-sig"


def test_rows_of_json_keep_their_digits() -> None:
    text = '[{"v": 12345678901234567890.10}, "not a row"]'
    expected = [{"v": Decimal("12345678901234567890.10")}, "not a row"]
    pages = (f'{{"total": 2, "next": null, "data": {text}}}', f'{{"total": 9, "next": "/b", "data": {text}}}')
    for document in (text, *pages, f"\ufeff{text}"):
        assert document_rows(io.BytesIO(document.encode())) == expected
    lines = b'\xef\xbb\xbf{"v": 0.10}\r\n[]\n\n  \r\n'
    assert list(line_rows(io.BytesIO(lines))) == [{"v": Decimal("0.10")}, []]


@pytest.mark.parametrize(
    ("content", "line", "byte", "message"),
    [
        (b'[\n{"v": "Caf\xe9"}]', 2, 12, "line 2: byte 12 isn't UTF-8"),
        (b'[\n{"v": 1', 2, None, "line 2: isn't valid JSON"),
        (b'{"error": true}', 1, None, "must be a list of rows, or a page"),
        (b"7", 1, None, "must be a list of rows"),
        (b'{"error": true, "reason": "No such day."}', 1, None, "it says: No such day"),
        (b'{"total": 3, "data": [1]}', 1, None, "announces 3 rows, but has 1"),
        (b'{"total": [], "data": [1]}', 1, None, "announces"),
        (b"[" * 100_000, 1, None, "nested more than 100 levels"),
        (b"[1e99999999999999999999]", 1, None, "out of range"),
        ("[1]".encode("utf-16"), 1, 0, "byte 0 isn't UTF-8"),
    ],
)
def test_an_unreadable_document_names_its_place(content: bytes, line: int, byte: int | None, message: str) -> None:
    with pytest.raises(UnreadableError, match=message) as caught:
        document_rows(io.BytesIO(content))
    assert (caught.value.line, caught.value.byte) == (line, byte)


@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [
        (b'{"v": 1}\n{"v": "\xff"}\n', 2, 16),
        (b'{"v": 1}\n{"v": ', 2, None),
        (b"1\n" + b"7" * (9 * 2**20), 2, 2),
        (b"1\n\n2\n", 2, None),
    ],
)
def test_an_unreadable_line_names_its_place(content: bytes, line: int, byte: int | None) -> None:
    with pytest.raises(UnreadableError, match=f"line {line}: ") as caught:
        list(line_rows(io.BytesIO(content)))
    assert (caught.value.line, caught.value.byte) == (line, byte)
