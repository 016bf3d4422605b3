"""Exceptions for a source's file and its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHOWN = 20  # problems of a file


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
    def of(cls, path: Path, problems: Sequence[tuple[int | None, str]]) -> SourceError:
        """Return one error for the problems of a file, each on its own line; many are counted."""
        error = cls(path, *problems[0])
        lines = [str(cls(path, *problem)) for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            lines.append(f"and {len(problems) - SHOWN} more")
        error.args = ("\n".join(lines),)
        return error


class SourcesError(PermanentError, ValueError):
    """Some files of sources are invalid; the message lists all their problems."""


class PublishGateError(PermanentError):
    """Too many rows are invalid: nothing was published, and the rows loaded before are unchanged."""
