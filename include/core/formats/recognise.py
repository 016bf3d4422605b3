"""Recognises the format of a file from its name and its first bytes, which must agree."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Literal

from include.core.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

Format = Literal["csv", "json", "jsonl", "parquet"]
SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
COMPRESSED = {".gz", ".zst", ".zstd"}
PARQUET = b"PAR1"
UTF_8, UTF_16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
HEAD = 4096


def recognise(file: BinaryIO, name: str) -> Format:
    """Return the format of a file.

    Its name says it, by the suffix; without a known one, its first bytes do: Parquet's signature, or JSON's first
    bracket, after which a line that isn't complete says that it is one document. Anything else is CSV.

    Args:
        file: the decompressed file; seekable.
        name: its name or URL.

    Raises:
        UnreadableError: if the name and the content disagree, or the file is empty.
    """
    head = file.read(HEAD)
    file.seek(0)
    said = SUFFIXES.get(_suffix(name))
    if not head:
        raise UnreadableError("the file is empty", byte=0)
    is_parquet = head.startswith(PARQUET)
    if said and is_parquet != (said == "parquet"):
        content = "is" if is_parquet else "isn't"
        raise UnreadableError(f"the file's name says {said}, but its content {content} Parquet; rename it", byte=0)
    if said or is_parquet:
        return said or "parquet"
    start = head.removeprefix(UTF_8).lstrip()
    if start[:1] not in {b"{", b"["}:
        return "csv"
    first = start.partition(b"\n")[0].rstrip()
    return "jsonl" if start.startswith(b"{") and first.endswith(b"}") and b"\n" in start.rstrip() else "json"


def encoding_of(file: BinaryIO) -> str:
    """Return the encoding that a byte-order mark says; without one, it is UTF-8."""
    mark = file.read(2)
    file.seek(0)
    return "utf-16" if mark in UTF_16 else "utf-8-sig"


def _suffix(name: str) -> str:
    path = PurePath(name.lower())
    return PurePath(path.stem).suffix if path.suffix in COMPRESSED else path.suffix
