"""Files in object storage, on a disk or in a bucket: written whole or not at all."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from upath import UPath
    from upath.extensions import ProxyUPath

    File = UPath | ProxyUPath  # Airflow's ObjectStoragePath is one of the latter


def url_of(path: Path) -> str:
    """Return the URL by which fsspec (so ``ObjectStoragePath`` and ``UPath``) and Hadoop know a file.

    They take the path in a URL literally: given what ``Path.as_uri`` returns, they look for a folder ``%20`` where the
    path has a blank.
    """
    return f"file://{path.absolute()}"


def file_name(text: str) -> str:
    """Return ``text`` as a name that every store takes and that can't leave its folder."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)


def write(path: File, content: bytes) -> str:
    """Write a file so that no reader ever sees a part of it, and return its URL."""
    with writing(path) as file:
        file.write(content)
    return str(path)


@contextmanager
def writing(path: File) -> Iterator[BinaryIO]:
    """Write a file bit by bit; it is there when the block ends well, and nothing of it is if it doesn't.

    An object store shows an object only when it is complete, so the bits are gathered in a temporary file; in a file
    system the file gets its name when it is complete.
    """
    if path.protocol not in {"", "file"}:
        with tempfile.TemporaryFile() as gathered:
            yield gathered
            gathered.seek(0)
            with path.open("wb") as target:
                shutil.copyfileobj(gathered, target, 1024 * 1024)
        return
    file = Path(path.path)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        with unfinished.open("wb") as target:
            yield target
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return one JSON object a line; NaN and infinity, which JSON has no word for, become strings."""
    plain = (json.loads(json.dumps(row, default=str), parse_constant=str) for row in rows)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in plain).encode()
