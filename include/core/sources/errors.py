"""Exceptions for a source's file and its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class SourceError(PermanentError, ValueError):
    """A source's file is invalid; the message names file, line, field, value and the allowed values.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, line: int | None, problem: str) -> None:
        self.path = path
        location = "/".join(path.parts[-2:])
        super().__init__(f"{location}:{line}: {problem}" if line else f"{location}: {problem}")

    @classmethod
    def of(cls, path: Path, problems: Iterable[tuple[int | None, str]]) -> SourceError:
        """Return one error for all problems of a file, each on its own line."""
        first, *others = problems
        error = cls(path, *first)
        error.args = ("\n".join([str(error), *(str(cls(path, *other)) for other in others)]),)
        return error


class SourcesError(PermanentError, ValueError):
    """Some files of sources are invalid; the message lists all their problems."""


class PublishGateError(PermanentError):
    """Too many rows are invalid: nothing was published, and the rows loaded before are unchanged."""
