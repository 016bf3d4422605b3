"""What can be wrong with a source's file or with the rows that came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class SourceError(PermanentError, ValueError):
    """A source's file can't be used; the message names file, line, field, value and what is allowed.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, line: int | None, problem: str) -> None:
        self.path = path
        place = "/".join(path.parts[-2:])
        super().__init__(f"{place}:{line}: {problem}" if line else f"{place}: {problem}")

    @classmethod
    def of(cls, path: Path, problems: Iterable[tuple[int | None, str]]) -> SourceError:
        """Return one error for all the problems of one file, each on a line of its own."""
        first, *others = problems
        error = cls(path, *first)
        error.args = ("\n".join([str(error), *(str(cls(path, *other)) for other in others)]),)
        return error


class SourcesError(PermanentError, ValueError):
    """Some of the sources' files can't be used; the message has every problem of each."""


class PublishGateError(PermanentError):
    """Too many of the rows that came are bad: nothing was published, what was loaded before is unchanged."""
