"""Parses the YAML of a source into plain values with their line numbers.

Numbers are decimal, and true and false the only booleans. Other conversions of YAML 1.1 (``010`` is 8, ``1:30`` is
90, ``yes`` is true, dates) are disabled, so that the validation can name the field. Anchors, tags, repeated keys,
control characters and files larger than 64 KiB are refused, so that a file can't exhaust memory, run code, be ambiguous
or hold what Airflow's database can't store.
"""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, Any

import yaml

from include.core.sources.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 64 * 1024
MAX_DEPTH = 10
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

PLAIN = {
    "tag:yaml.org,2002:null": re.compile(".*"),
    "tag:yaml.org,2002:bool": re.compile("true|false", re.IGNORECASE),
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9]{0,39})"),
    "tag:yaml.org,2002:float": re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE),
}

Location = tuple[str | int, ...]
Lines = dict[Location, int | None]

Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster


def read(path: Path) -> str:
    """Return the text of a source's file.

    Raises:
        SourceError: if it can't be read, is too large, or isn't UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would block
            raise SourceError(path, None, "is not a regular file; remove it")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(path, None, f"can't be read: {error.strerror}; fix or remove it") from error
    if len(content) > MAX_BYTES:
        raise SourceError(path, None, f"is larger than {MAX_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SourceError(path, line, "isn't UTF-8; save it as UTF-8") from error


def parse(text: str, path: Path) -> tuple[Any, Lines]:
    """Return the plain values of a YAML text, and the line of each, from 1.

    Args:
        text: YAML.
        path: its file, for messages.

    Raises:
        SourceError: if it isn't YAML, or uses features that are refused.
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
    """Check the stream of events before any value is constructed."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        line = _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SourceError(path, line, "anchors and aliases (&, *) aren't allowed; write the value out")
        tag = getattr(event, "tag", None)
        if tag and not tag.startswith("tag:yaml.org,2002:str"):
            raise SourceError(path, line, f"the tag {tag} isn't allowed; write a plain value")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise SourceError(path, line, f"is nested more than {MAX_DEPTH} levels deep")


def _value(loader: Any, node: yaml.Node, location: Location, lines: Lines, path: Path) -> Any:
    lines[location] = _line(node.start_mark)
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise SourceError(path, _line(key_node.start_mark), "a key must be a word")
            key = _text(key_node, path)
            if key in values:
                raise SourceError(path, _line(key_node.start_mark), f"the key {key!r} is repeated")
            values[key] = _value(loader, value_node, (*location, key), lines, path)
            lines[*location, key] = _line(key_node.start_mark)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, (*location, index), lines, path) for index, item in enumerate(node.value)]
    pattern, text = PLAIN.get(node.tag), _text(node, path)
    return loader.construct_object(node) if pattern and pattern.fullmatch(text) else text


def _text(node: yaml.Node, path: Path) -> str:
    text: str = node.value
    if found := CONTROL.search(text):
        raise SourceError(path, _line(node.start_mark), f"the control character {found[0]!r} isn't allowed in a text")
    return text


def _line(mark: Any) -> int | None:
    """Return the line of a mark, from 1."""
    return mark.line + 1 if mark else None
