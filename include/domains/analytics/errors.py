"""How a dbt command may end badly; each message names models, tests and sources."""

from __future__ import annotations

from include.core.errors import MissingInputError, PermanentError


class DbtError(Exception):
    """A dbt command failed: a model didn't build, or dbt couldn't begin."""


class DbtInputError(DbtError, MissingInputError):
    """A source was never loaded."""


class DbtTestError(DbtError, PermanentError):
    """Data broke a test, or a source isn't fresh; the same data breaks it again."""
