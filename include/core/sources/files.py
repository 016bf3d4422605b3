"""The sources that are configured: each file is read by itself, so that a bad one does not affect the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from include.core.sources import text
from include.core.sources.errors import SourceError, SourcesError
from include.core.sources.model import ColumnContract, Limits, Source

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pydantic_core import ErrorDetails

SUFFIX = ".yaml"
SHOWN = 80
MODELS: dict[object, type[BaseModel]] = {"columns": ColumnContract, "limits": Limits}
TO_BE_A_SOURCE = "name it <source>.yaml, the source's name in lower case, digits and _"


class Loaded(NamedTuple):
    """Every source that can be used, by name, and what is wrong with the other files."""

    sources: dict[str, Source]
    errors: list[SourceError]


def load_sources(folder: Path, connections: Collection[str] | None = None) -> Loaded:
    """Read every YAML file of ``folder``, in the order of their names; ``connections``: see :func:`load_source`."""
    loaded = Loaded({}, [])
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in {SUFFIX, ".yml"}):
        try:
            source = load_source(path, connections)
        except SourceError as error:
            loaded.errors.append(error)
        else:
            loaded.sources[source.name] = source
    return loaded


def require_sources(folder: Path, connections: Collection[str] | None = None) -> dict[str, Source]:
    """Return every source of ``folder`` by name.

    Raises:
        SourcesError: with every problem of every file, if one can't be used.
    """
    sources, errors = load_sources(folder, connections)
    if errors:
        raise SourcesError("\n".join(map(str, errors)))
    return sources


def load_source(path: Path, connections: Collection[str] | None = None) -> Source:
    """Read one source.

    Args:
        path: its file.
        connections: ids of the connections that it may name; any, if it isn't given.

    Raises:
        SourceError: with every problem of the file, each with line, field, value and what is allowed.
    """
    return source_of(text.read(path), path, connections)


def source_of(written: str, path: Path, connections: Collection[str] | None = None) -> Source:
    """Return the source that the text of the file ``path`` describes.

    Raises:
        SourceError: see :func:`load_source`.
    """
    content, lines = text.parse(written, path)
    if not isinstance(content, dict):
        raise SourceError(path, 1, "isn't a mapping of fields; begin with 'name: …'")
    try:
        source = Source.model_validate(content, context=connections)
    except ValidationError as error:
        raise SourceError.of(path, (_problem(detail, lines) for detail in error.errors(include_url=False))) from error
    if path.name != f"{source.name}{SUFFIX}":
        raise SourceError(
            path, lines["name",], f"name: {source.name!r} isn't the file's name; {TO_BE_A_SOURCE}, so none stands twice"
        )
    return source


def _problem(detail: ErrorDetails, lines: text.Lines) -> tuple[int | None, str]:
    place = tuple(step for step in detail["loc"] if step != "[key]")
    known = place
    while known not in lines:
        known = known[:-1]
    field = ".".join(str(step) for step in place)
    reason = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return lines[known], f"{field}: is missing; add it"
    if detail["type"] == "extra_forbidden":
        model = next((MODELS[step] for step in place[:-1] if step in MODELS), Source)
        allowed = ", ".join(about.alias or name for name, about in model.model_fields.items())
        return lines[known], f"{field}: is no such field; allowed: {allowed}"
    return lines[known], f"{field}: {reason} (got {_shown(detail['input'])})" if field else reason


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
