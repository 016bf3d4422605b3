"""The names of what a removal deletes, and how to find them in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Removed:
    """What is removed.

    Attributes:
        modules: dotted names of modules and packages.
        words: ids of DAGs, connections, tables and other named objects.
        paths: files and folders, relative to the repository.
    """

    modules: frozenset[str]
    words: frozenset[str]
    paths: frozenset[str]

    def without(self, names: Iterable[str]) -> Removed:
        """Return what is removed, except what has one of these names in its own."""
        return Removed(*(_without(entries, list(names)) for entries in (self.modules, self.words, self.paths)))

    def has_module(self, name: str) -> bool:
        """Tell whether a module, or a package that contains it, is removed."""
        parts = name.split(".")
        return any(".".join(parts[:count]) in self.modules for count in range(1, len(parts) + 1))

    def is_named_in(self, text: str) -> bool:
        """Tell whether a text names something removed, as a whole word or path."""
        return bool(self._pattern.search(text))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        names = sorted(self.words | self.modules | self.paths)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, names)) or '(?!)'})(?![\w-])")


def _without(entries: frozenset[str], names: list[str]) -> frozenset[str]:
    return frozenset(entry for entry in entries if not any(name in entry for name in names))
