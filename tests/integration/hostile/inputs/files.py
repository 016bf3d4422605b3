"""Files that a stranger may upload for a source with the columns id, text and amount, and how their load ends."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

LOADED, REFUSED, UNREADABLE = "loaded", "PublishGateError", "UnreadableError"
NOT_CSV, EMPTY = "CsvError", "AuditError"
MEGABYTE = 1_000_000
HEADER = b"id,text,amount\n"
LINE = '{"id": 1, "text": "x", "amount": 1.5}\n'


def csv(*lines: bytes) -> bytes:
    """Return a CSV file with the right header."""
    return HEADER + b"".join(line + b"\n" for line in lines)


def parquet(rows: list[dict[str, Any]], schema: pa.Schema | None = None, **options: Any) -> bytes:
    """Return a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), buffer, **options)
    return buffer.getvalue()


def archive(name: str, content: bytes) -> bytes:
    """Return a ZIP file with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(name, content)
    return buffer.getvalue()


def png() -> bytes:
    """Return a picture of one pixel."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


ROWS = [{"id": 1, "text": "x", "amount": "1.5"}]
PARQUET = parquet(ROWS)
MARKUP = b"<!channel> <https://evil.example|click> {{ conn.canary_default.password }}"

FILES: dict[str, tuple[str, bytes, str]] = {
    "good.csv": ("a.csv", csv(b"1,x,1.5"), LOADED),
    "formulae": ("a.csv", csv(b"1,=1+1,1", b"2,@SUM(A1),1", b"3,\"=cmd|' /C calc'!A0\",1", b"4,-2+3,1"), LOADED),
    "markup": ("a.csv", csv(b"1," + MARKUP + b",1.5"), LOADED),
    "markup in a bad value": ("a.csv", csv(b"1,x," + MARKUP), REFUSED),
    "markup in quarantine": ("a.csv", csv(b"1,x,1.5", b"2,x," + MARKUP), LOADED),
    "markup in the header": ("a.csv", b"id,text,amount," + MARKUP + b"\n1,x,1,y\n", LOADED),
    "SQL in the header": ("a.csv", b'id,text,amount,"x"" int); DROP TABLE quarantine; --"\n1,x,1,y\n', LOADED),
    "SQL in a value": ("a.csv", csv(b"1,'); DROP TABLE hostile_data; --,1"), LOADED),
    "a COPY's end": ("a.csv", csv(b"1,\\.,1", b"2,\\N,1"), LOADED),
    "NUL": ("a.csv", csv(b"1,a\0b,1.5"), REFUSED),
    "NUL as the first byte": ("a.csv", b"\0" + csv(b"1,x,1.5"), NOT_CSV),
    "control characters": ("a.csv", csv(b"1,\x1b[2J\x07\x08,1.5"), LOADED),
    "byte order mark": ("a.csv", b"\xef\xbb\xbf" + csv(b"1,x,1.5"), LOADED),
    "two byte order marks": ("a.csv", b"\xef\xbb\xbf\xef\xbb\xbf" + csv(b"1,x,1.5"), NOT_CSV),
    "UTF-16": ("a.csv", csv(b"1,x,1.5").decode().encode("utf-16"), LOADED),
    "UTF-32": ("a.csv", csv(b"1,x,1.5").decode().encode("utf-32"), NOT_CSV),
    "latin-1": ("a.csv", csv(b"1,caf\xe9,1.5"), NOT_CSV),
    "overlong UTF-8": ("a.csv", csv(b"1,\xc0\xaf,1.5"), NOT_CSV),
    "a surrogate in UTF-8": ("a.csv", csv(b"1,\xed\xa0\x80,1.5"), NOT_CSV),
    "empty": ("a.csv", b"", UNREADABLE),
    "only a header": ("a.csv", HEADER, EMPTY),
    "no header": ("a.csv", b"1,x,1.5\n", NOT_CSV),
    "a column twice": ("a.csv", b"id,text,amount,id\n1,x,1.5,2\n", NOT_CSV),
    "50,000 columns": ("a.csv", HEADER.strip() + b",c" * 50_000 + b"\n1,x,1.5" + b"," * 50_000 + b"\n", LOADED),
    "too many fields": ("a.csv", csv(b"1,x,1.5,9,9,9"), REFUSED),
    "too few fields": ("a.csv", csv(b"1"), REFUSED),
    "an open quote": ("a.csv", csv(b'1,"x,1.5', b"2,y,1"), NOT_CSV),
    "a megabyte of quotes": ("a.csv", csv(b"1," + b'"' * MEGABYTE + b",1.5"), LOADED),
    "a field of 5 MB": ("a.csv", csv(b"1," + b"x" * (5 * MEGABYTE) + b",1.5"), NOT_CSV),
    "5000 digits": ("a.csv", csv(b"1" * 5000 + b",x,1.5"), REFUSED),
    "an exponent of 20 digits": ("a.csv", csv(b"1,x,1e99999999999999999999"), REFUSED),
    "NaN and infinity": ("a.csv", csv(b"1,x,NaN", b"2,x,Infinity", b"3,x,-inf"), REFUSED),
    "other digits": ("a.csv", csv("\u0661,x,\uff11.5".encode()), REFUSED),
    "carriage returns": ("a.csv", csv(b"1,x,1.5").replace(b"\n", b"\r"), LOADED),
    "a gzip bomb": ("a.csv.gz", gzip.compress(HEADER + b"1," + b"x" * (10 * MEGABYTE)), NOT_CSV),
    "cut gzip": ("a.csv.gz", gzip.compress(csv(*[b"1,x,1.5"] * 999))[:-9], UNREADABLE),
    "two layers of gzip": ("a.csv.gz", gzip.compress(gzip.compress(csv(b"1,x,1.5"))), LOADED),
    "gzip by its bytes": ("a.csv", gzip.compress(csv(b"1,x,1.5")), LOADED),
    "a ZIP file": ("a.csv", archive("a.csv", csv(b"1,x,1.5")), NOT_CSV),
    "a ZIP file of a path": ("a.csv.zip", archive("../../up.csv", csv(b"1,x,1.5")), NOT_CSV),
    "a picture": ("a.csv", png(), NOT_CSV),
    "a pickle": ("a.csv", b"cos\nsystem\n(S'touch hostile'\ntR.", NOT_CSV),
    "HTML": ("a.csv", b"<html><body>Please log in</body></html>", NOT_CSV),
    "JSON lines": ("a.jsonl", LINE.encode(), LOADED),
    "JSON: NaN": ("a.jsonl", LINE.replace("1.5", "NaN").encode(), REFUSED),
    "JSON: 1e400": ("a.jsonl", LINE.replace("1.5", "1e400").encode(), LOADED),
    "JSON: exponent of 20 digits": ("a.jsonl", LINE.replace("1.5", "1e99999999999999999999").encode(), UNREADABLE),
    "JSON: half a surrogate pair": ("a.jsonl", LINE.replace('"x"', r'"\ud800"').encode(), REFUSED),
    "JSON: NUL": ("a.jsonl", LINE.replace('"x"', r'"\u0000"').encode(), REFUSED),
    "JSON: deep": ("a.jsonl", (LINE.replace('"x"', "[" * 100_000 + "]" * 100_000)).encode(), UNREADABLE),
    "JSON: deep objects": ("a.jsonl", (LINE.replace('"x"', '{"a":' * 500 + "1" + "}" * 500)).encode(), UNREADABLE),
    "JSON: cut": ("a.jsonl", LINE[:20].encode(), UNREADABLE),
    "JSON: not objects": ("a.jsonl", b'1\n"a"\nnull\n[]\n', REFUSED),
    "JSON: 10,000 names": ("a.jsonl", json.dumps({**ROWS[0], **{f"c{n}": n for n in range(10_000)}}).encode(), LOADED),
    "JSON: one line of 5 MB": ("a.jsonl", b'{"id": "' + b"x" * (5 * MEGABYTE), UNREADABLE),
    "Parquet": ("a.parquet", PARQUET, LOADED),
    "Parquet: cut": ("a.parquet", PARQUET[:-20], UNREADABLE),
    "Parquet: no content": ("a.parquet", b"PAR1PAR1", UNREADABLE),
    "Parquet: endless footer": ("a.parquet", PARQUET[:-8] + b"\xff\xff\xff\x7fPAR1", UNREADABLE),
    "Parquet: corrupt": ("a.parquet", PARQUET[:8] + b"\xff" * 40 + PARQUET[48:], UNREADABLE),
    "Parquet: nested": ("a.parquet", parquet([ROWS[0] | {"text": {"a": [1]}}]), REFUSED),
    "Parquet: bytes": ("a.parquet", parquet([ROWS[0] | {"text": b"\xff\x00"}]), UNREADABLE),
    "Parquet: NUL": ("a.parquet", parquet([ROWS[0] | {"text": "a\0b"}]), REFUSED),
    "Parquet: markup as a name": ("a.parquet", parquet([ROWS[0] | {MARKUP.decode(): "x"}]), LOADED),
    "Parquet: 5000 equal rows": ("a.parquet", parquet(ROWS * 5000, compression="zstd"), REFUSED),
}

MODELS: dict[str, bytes] = {
    "a bomb": archive("schema.json", b" " * (50 * MEGABYTE)),
    "a bomb in a matrix": archive("x.npz", archive("x.npy", b"\0" * (50 * MEGABYTE))),
    "no schema": archive("a.txt", b"x"),
    "an empty schema": archive("schema.json", b"{}"),
    "code": archive(
        "schema.json", b'{"__class__": "system", "__module__": "os", "__loader__": "TypeNode", "protocol": 0}'
    ),
    "deep": archive("schema.json", b'{"a":' * 100_000),
    "a pickle": b"cos\nsystem\n(S'touch hostile'\ntR.",
    "empty": b"",
}
"""Model files with a correct checksum; each is an ArtifactError."""
