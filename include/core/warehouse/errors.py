"""What can go wrong in a load, each with what to do about it in the message."""

from __future__ import annotations

from dataclasses import dataclass

from include.core.errors import PermanentError


class LoadError(PermanentError):
    """A load was not committed; what was published before still stands."""


class SchemaMismatchError(LoadError):
    """The table in the warehouse isn't the one that the dataset declares."""


class StaleAttemptError(LoadError):
    """A newer attempt of the same task has loaded already; this one must not write any more."""


@dataclass(frozen=True)
class Violation:
    """One audit rule that staged rows break.

    Attributes:
        rule: the rule in words, with the column and what is allowed.
        rows: how many rows break it.
        examples: the first of them, as JSON text.
    """

    rule: str
    rows: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = "".join(f"\n      {example}" for example in self.examples)
        more = f"\n      ... and {self.rows - len(self.examples)} more" if 0 < len(self.examples) < self.rows else ""
        return f"  - {self.rule}: {self.rows} row(s){shown}{more}"


class AuditError(LoadError):
    """Staged rows break the dataset's rules, so none of them was published.

    Attributes:
        violations: every rule that is broken.
    """

    def __init__(self, dataset: str, partition: str, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__(
            f"{dataset}, partition {partition}: refused, the rows loaded before are unchanged. Broken rules:\n"
            + "\n".join(str(violation) for violation in violations)
            + "\n  Correct the source, or reject such rows with a reason before the load."
        )


class IncompleteLoadError(PermanentError):
    """A load was committed, but not all that was expected came; see ``LoadResult.require_complete``."""
