"""Loads the configured sources; each file is read separately, so that an invalid one doesn't affect the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from include.core.sources import text
from include.core.sources.api import KINDS, Api, Dates, Key
from include.core.sources.errors import SourceError, SourcesError
from include.core.sources.model import ColumnContract, Files, HistoryContract, Limits, RecurringContract, Source

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pydantic_core import ErrorDetails

SUFFIX = ".yaml"
SHOWN = 80
MODELS: dict[object, type[BaseModel]] = {
    ("columns", "*"): ColumnContract,
    ("files",): Files,
    ("limits",): Limits,
    ("history",): HistoryContract,
    ("history", "recurring", "*"): RecurringContract,
    ("api",): Api,
    ("api", "dates"): Dates,
    ("api", "key"): Key,
    **{("api", "paging", kind): model for kind, model in KINDS.items()},
}
"""By location; ``*`` is any name or number."""
NAMING_RULE = "name it <source>.yaml, the source's name in lower case, digits and _"


class Loaded(NamedTuple):
    """Every valid source, by name, and the errors of the other files."""

    sources: dict[str, Source]
    errors: list[SourceError]


def load_sources(folder: Path, connections: Collection[str] | None = None) -> Loaded:
    """Read every YAML file of ``folder``, sorted by name; for ``connections`` see :func:`load_source`."""
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
        SourcesError: with all problems of all files, if one is invalid.
    """
    sources, errors = load_sources(folder, connections)
    if errors:
        raise SourcesError("\n".join(map(str, errors)))
    return sources


def load_source(path: Path, connections: Collection[str] | None = None) -> Source:
    """Read a source.

    Args:
        path: its file.
        connections: allowed connection ids; ``None`` allows any.

    Raises:
        SourceError: with all problems of the file, each with line, field, value and the allowed values.
    """
    return parse_source(text.read(path), path, connections)


def parse_source(yaml_text: str, path: Path, connections: Collection[str] | None = None) -> Source:
    """Return the source that ``yaml_text``, the content of the file ``path``, declares.

    Raises:
        SourceError: see :func:`load_source`.
    """
    content, lines = text.parse(yaml_text, path)
    if not isinstance(content, dict):
        raise SourceError(path, 1, "isn't a mapping of fields; start with 'name: …'")
    try:
        source = Source.model_validate(content, context=connections)
    except ValidationError as error:
        raise SourceError.of(path, [_problem(detail, lines) for detail in error.errors(include_url=False)]) from error
    except Exception as error:  # of a library that a value has surprised: the other files must still load
        raise SourceError(path, None, f"can't be used: {type(error).__name__}: {_shown(str(error))}") from error
    if path.name != f"{source.name}{SUFFIX}":
        raise SourceError(
            path, lines["name",], f"name: {source.name!r} isn't the file's name; {NAMING_RULE}, to keep names unique"
        )
    return source


def _problem(detail: ErrorDetails, lines: text.Lines) -> tuple[int | None, str]:
    place = tuple(step for step in detail["loc"] if step != "[key]")
    location = tuple(step for step, before in zip(place, (None, *place), strict=False) if before != "paging")
    nearest = location
    while nearest not in lines:
        nearest = nearest[:-1]
    field = _shortened(".".join(str(step) for step in location))
    reason = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return lines[nearest], f"{field}: is missing; add it"
    if detail["type"] == "extra_forbidden":
        parent = place[:-1]
        model = MODELS.get(parent) or MODELS.get((*parent[:-1], "*"), Source)
        allowed = ", ".join(info.alias or name for name, info in model.model_fields.items())
        return lines[nearest], f"{field}: unknown field; allowed: {allowed}"
    return lines[nearest], f"{field}: {reason} (got {_shown(detail['input'])})" if field else reason


def _shown(value: Any) -> str:
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
