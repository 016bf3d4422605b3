"""Loads and checks model files in the skops format, which contains no code, with a checksum.

MLflow's own loader takes the list of trusted types from the file itself, so a crafted model can declare itself trusted
(``mlflow/sklearn/__init__.py``, 3.17); here the caller provides the list.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from include.core.ml.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Sequence


MODEL_FILE = "model.skops"
MAX_BYTES = 256 * 1024 * 1024  # of a file in the registry
MAX_UNPACKED = 512 * 1024 * 1024
MAX_RATIO = 100  # of unpacked to packed size; skops compresses nothing by default
MAX_SCHEMA = 32 * 1024 * 1024  # of the description of the objects, whose JSON takes ten times as much memory
SCHEMA = "schema.json"
MOVED = re.compile(r'"include\.(?!(?:core|domains|ops)\.)')
"""Start of a module's name in models of the first release, in which domains were packages of ``include``."""
ID = re.compile(r'("__id__": |"file": ")(\d+)')
"""Ids in skops' schema, also in the names of files."""


def load(content: bytes, sha256: str, trusted: Sequence[str], name: str) -> Any:
    """Return the model in ``content``, the bytes of a model file.

    Raises:
        ArtifactError: if the checksum differs, the file isn't a skops file or is too large, or it contains a type that
            isn't trusted.
    """
    from include.core.ml import skops_io

    verify(content, sha256, f"{name}: the model file")
    try:
        _check_size(content, name)
        content = _with_current_names(content)
        untrusted = skops_io.get_untrusted_types(data=content)
        require_trusted(sorted(set(untrusted) - set(trusted)), name)
        return skops_io.loads(content, trusted=list(trusted))
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{name}: not a skops model that the installed libraries can read: {error}") from error


def digest(content: bytes) -> str:
    """Return the SHA-256 of ``content`` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def verify(content: bytes, sha256: str, name: str) -> None:
    """Check that ``content`` has this checksum.

    Raises:
        ArtifactError: if it hasn't.
    """
    actual = digest(content)
    if actual != sha256:
        raise ArtifactError(
            f"{name}'s SHA-256 is {actual}, but {sha256} was recorded: it is corrupt or was replaced. Retrain; a live"
            " model is unaffected."
        )


def normalised(content: bytes) -> bytes:
    """Return a model file without what differs each time it is written: times, and ids that are addresses in memory."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as copy:
        numbers: dict[str, str] = {}
        schema = ID.sub(
            lambda match: match[1] + numbers.setdefault(match[2], str(len(numbers))), archive.read(SCHEMA).decode()
        )
        for member in archive.namelist():
            stem, dot, suffix = member.partition(".")
            name = numbers.get(stem, stem) + dot + suffix
            text = schema if member == SCHEMA else archive.read(member)
            copy.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return result.getvalue()


def _with_current_names(content: bytes) -> bytes:
    """Return a model file in which the types of the first release have their current names."""
    current = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(current, "w") as copy:
        schema = archive.read(SCHEMA).decode()
        if not MOVED.search(schema):
            return content
        for member in archive.infolist():
            is_schema = member.filename == SCHEMA
            copy.writestr(member, MOVED.sub('"include.domains.', schema) if is_schema else archive.read(member))
    return current.getvalue()


def _check_size(content: bytes, name: str) -> None:
    """Check how much memory a model file may take, before any of it is unpacked."""
    limit = min(MAX_UNPACKED, MAX_RATIO * len(content))
    unpacked, schema = _unpacked(content, limit)
    if unpacked > limit:
        raise ArtifactError(
            f"{name}: the model file has {len(content)} bytes and unpacks to at least {unpacked}; allowed: {MAX_RATIO}"
            f" times its size, at most {MAX_UNPACKED}"
        )
    if schema > MAX_SCHEMA:
        raise ArtifactError(f"{name}: {SCHEMA} in the model file has {schema} bytes; at most {MAX_SCHEMA} are allowed")


def _unpacked(content: bytes, limit: int) -> tuple[int, int]:
    """Return the size of a ZIP file's members, including those of archives in it (sparse matrices), and of the schema.

    Stops at a size above ``limit``. :mod:`zipfile` never unpacks more of a member than its directory says.
    """
    size = schema = 0
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            size += member.file_size
            schema = max(schema, member.file_size if member.filename == SCHEMA else 0)
            if size > limit:
                break
            if member.filename.endswith(".npz"):
                size += _unpacked(archive.read(member), limit - size)[0]
    return size, schema


def require_trusted(untrusted: list[str], name: str) -> None:
    """Check that there are no untrusted types in the model ``name``.

    Raises:
        ArtifactError: naming them.
    """
    if untrusted:
        raise ArtifactError(
            f"{name}: contains types that aren't trusted: {', '.join(untrusted)}. If they are safe to load, add them to"
            " the model's trusted types."
        )
