"""Rows of texts as JSON texts, written many at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.core.warehouse.storable import storable_text

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str)
ESCAPES = (("\\", r"\\"), ('"', r"\""))
FIRST_PRINTABLE = 0x20


class JsonRow(Mapping[str, Any]):
    """A row that is kept as the text of a JSON object, and parsed when it is first looked at.

    Attributes:
        text: the JSON text, which ``jsonb`` can store; of a name that occurs twice, the last value counts.
    """

    __slots__ = ("_parsed", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._parsed: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self.parsed()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parsed())

    def __len__(self) -> int:
        return len(self.parsed())

    def __repr__(self) -> str:
        return repr(self.parsed())

    def parsed(self) -> dict[str, Any]:
        """Return the row, which is parsed once."""
        if self._parsed is None:
            self._parsed = json.loads(self.text)
        return self._parsed

    def after(self, name: str, value: str) -> JsonRow:
        """Return the row with another value, unless it has one of that name."""
        return JsonRow(_start({name: value}) + self.text[1:])


def json_texts(constants: Mapping[str, str], columns: Mapping[str, pa.Array[Any]]) -> pa.Array[Any]:
    """Return the texts of rows with the same constants, and columns of texts or whole numbers that aren't NULL."""
    start = _start(constants)
    parts: list[Any] = []
    for name, values in columns.items():
        is_text = pa.types.is_string(values.type)
        quote = '"' if is_text else ""
        parts += [f"{start}{_quoted(name)}: {quote}", _escaped(values) if is_text else values.cast(pa.string())]
        start = f"{quote}, "
    texts: pa.Array[Any] = pc.binary_join_element_wise(*parts, f"{start.removesuffix(', ')}}}", "")
    return texts


def starting_with(constants: Mapping[str, str], texts: pa.Array[Any]) -> pa.Array[Any]:
    """Return the texts of rows that have other values too, unless they have some of these names."""
    changed: pa.Array[Any] = pc.binary_replace_slice(texts, 0, 1, _start(constants))
    return changed


def contains(texts: pa.Array[Any], character: str) -> bool:
    """Return whether any of the texts may contain an ASCII character; it is much faster than to look at each."""
    content = texts.buffers()[-1]
    return content is not None and character.encode() in content.to_pybytes()


def _start(constants: Mapping[str, str]) -> str:
    return "{" + "".join(f"{_quoted(name)}: {_quoted(value)}, " for name, value in constants.items())


def _quoted(text: str) -> str:
    return PLAIN.encode(storable_text(text))


def _escaped(texts: pa.Array[Any]) -> pa.Array[Any]:
    """Return texts as the inside of JSON strings; control characters are rare, and escaped one text at a time."""
    content = texts.buffers()[-1]
    if content and (np.frombuffer(memoryview(content), np.uint8) < FIRST_PRINTABLE).any():
        return pa.array([_quoted(str(text))[1:-1] for text in texts.to_pylist()], pa.string())
    for plain, escaped in ESCAPES:
        texts = pc.replace_substring(texts, plain, escaped) if contains(texts, plain) else texts
    return texts
