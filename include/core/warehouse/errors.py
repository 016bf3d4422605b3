"""Exceptions of a load; each message says how to fix the problem."""

from __future__ import annotations

from dataclasses import dataclass

from include.core.errors import ConfigurationError, MissingInputError, PermanentError

SHOWN_FINDINGS = 10


class LoadError(PermanentError):
    """A load was rolled back; the rows published before are unchanged."""


class SchemaMismatchError(LoadError):
    """The table in the warehouse differs from the dataset's declaration."""


class MissingTableError(LoadError):
    """A table that was loaded before is missing: it was renamed, moved or dropped."""


class AccessError(ConfigurationError):
    """The connection's role may not do what a load does; the message has the SQL that grants it."""


class ReadOnlyError(Exception):
    """The warehouse accepts no writes now, such as a standby during a failover; can be retried."""


class TableBusyError(Exception):
    """A table has to be altered while another session holds a lock on it; can be retried."""


class NotMigratedError(MissingInputError):
    """The warehouse lacks tables or columns that this release needs; a migration may be under way."""


class StaleAttemptError(LoadError):
    """A newer attempt of the same task has already loaded; this one must not write."""


class SupersededError(LoadError):
    """Rows that were requested later have already been published; nothing was written, and no action is needed."""


@dataclass(frozen=True)
class BrokenRule:
    """One audit rule that staged rows break.

    Attributes:
        rule: the rule in words, with the column and the allowed values.
        rows: how many rows break it.
        examples: the first such rows, as JSON text.
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
        violations: all broken rules.
    """

    def __init__(self, dataset: str, partition: str, violations: tuple[BrokenRule, ...]) -> None:
        self.violations = violations
        super().__init__(
            f"{dataset}, partition {partition}: refused, the rows loaded before are unchanged. Broken rules:\n"
            + "\n".join(str(violation) for violation in violations)
            + "\n  Correct the source, or reject such rows with a reason before the load."
        )


class AnomalyError(LoadError):
    """A load differs too much from its dataset's history, so nothing was published.

    Attributes:
        findings: what is out of bounds, the largest deviation first.
    """

    def __init__(self, dataset: str, partition: str, history: str, findings: tuple[str, ...]) -> None:
        self.findings = findings
        listed = "".join(f"\n  - {finding}" for finding in findings[:SHOWN_FINDINGS])
        more = f"\n  ... and {len(findings) - SHOWN_FINDINGS} more" if len(findings) > SHOWN_FINDINGS else ""
        super().__init__(
            f"{dataset}, partition {partition}: refused, the rows loaded before are unchanged. Out of bounds, compared"
            f" with {history}:{listed}{more}\n  If the rows are wrong, correct the source and rerun. If they are right,"
            " run the DAG for the same day with the param accept: the reason, 10 to 500 characters (docs/history.md)."
        )


class IncompleteLoadError(PermanentError):
    """A load was committed, but expected rows are missing; see ``LoadResult.require_complete``."""
