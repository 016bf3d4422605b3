"""YAML as a source may use it, with the line of every value.

Only plain values: an anchor, a tag or a key that stands twice is refused, as is a file of more than 64 KiB, so that no
file can grow in memory, run code or say two things at once.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import yaml

from include.core.sources.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 64 * 1024
DEEPEST = 10

Place = tuple[str | int, ...]
Lines = dict[Place, int | None]

Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times faster


def read(path: Path) -> str:
    """Return the text of a source's file.

    Raises:
        SourceError: if it can't be read, is too large, or isn't UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, without end
            raise SourceError(path, None, "is no file; remove it")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SourceError(path, None, f"can't be read: {error.strerror}; fix or remove it") from error
    if len(content) > LARGEST:
        raise SourceError(path, None, f"is larger than {LARGEST} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SourceError(path, line, "isn't UTF-8; save it so") from error


def parse(text: str, path: Path) -> tuple[Any, Lines]:
    """Return the plain values of a YAML text, and the line (from 1) at which each stands.

    Args:
        text: YAML.
        path: file that it comes from; for messages only.

    Raises:
        SourceError: if it isn't YAML, or uses what a source may not.
    """
    loader = Loader(text)
    lines: Lines = {}
    try:
        _refuse_events(text, path)
        node = loader.get_single_node()
        if node is None:
            raise SourceError(path, 1, "is empty")
        return _value(loader, node, (), lines, path), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SourceError(path, _line(mark), f"isn't valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceError(path, None, f"isn't valid YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()


def _refuse_events(text: str, path: Path) -> None:
    """Look at the stream before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        line = _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SourceError(path, line, "anchors and aliases (&, *) aren't allowed; write the value out")
        tag = getattr(event, "tag", None)
        if tag and not tag.startswith("tag:yaml.org,2002:str"):
            raise SourceError(path, line, f"the tag {tag} isn't allowed; write a plain value")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise SourceError(path, line, f"is nested more than {DEEPEST} levels deep")


def _value(loader: Any, node: yaml.Node, place: Place, lines: Lines, path: Path) -> Any:
    lines[place] = _line(node.start_mark)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in found:
                raise SourceError(path, _line(key_node.start_mark), f"the key {key!r} stands twice")
            found[key] = _value(loader, value_node, (*place, key), lines, path)
            lines[*place, key] = _line(key_node.start_mark)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, each, (*place, index), lines, path) for index, each in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


def _line(mark: Any) -> int | None:
    """Return the line of a mark, from 1."""
    return mark.line + 1 if mark else None
