"""Rules between the columns of a row, such as ``closed_at >= created_at``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SYNTAX = re.compile(
    r"([a-z][a-z0-9_]*) (>=|<=|>|<|=) ([a-z][a-z0-9_]*|-?[0-9]{1,18})"
    r"(?: unless ([a-z][a-z0-9_]*) starts with ([A-Za-z0-9]{1,20}))?"
)
EXAMPLES = "'closed_at >= created_at' or 'unit_price >= 0 unless invoice_no starts with A'"
OPERATORS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than", "=": "equal to"}
NUMBERS = {"bigint", "decimal", "double precision", "integer", "number", "numeric"}
COMPARABLE = {"date", "number", "timestamp", "timestamp with time zone"}


@dataclass(frozen=True)
class ColumnRule:
    """Compares a column with another one or with a whole number; a row in which one of them is NULL satisfies it.

    Attributes:
        left: the column.
        comparison: one of :data:`OPERATORS`.
        right: the other column, or a number.
        exempt: a text column and a prefix; rows whose text starts with it are exempt.
    """

    left: str
    comparison: str
    right: str | int
    exempt: tuple[str, str] | None = None

    @classmethod
    def parse(cls, text: str, types: Mapping[str, str]) -> ColumnRule:
        """Return the rule that ``text`` states.

        Args:
            text: such as :data:`EXAMPLES`.
            types: type of each column.

        Raises:
            ValueError: if it isn't a rule, names an unknown column, or compares different types.
        """
        match = SYNTAX.fullmatch(text)
        if match is None:
            raise ValueError(f"must be a rule such as {EXAMPLES}; comparisons: {', '.join(OPERATORS)}")
        left, comparison, right, exempt, prefix = match.groups()
        is_column = right[0].isalpha()
        for name in (left, exempt, right if is_column else None):
            if name is not None and name not in types:
                raise ValueError(f"{name!r} isn't one of the columns: {', '.join(types)}")
        kinds = [
            "number" if kind in NUMBERS else kind for kind in (types[left], types[right] if is_column else "number")
        ]
        if kinds[0] != kinds[1] or kinds[0] not in COMPARABLE:
            raise ValueError(f"a {kinds[0]} ({left}) can't be compared with a {kinds[1]} ({right})")
        if exempt and types[exempt] != "text":
            raise ValueError(f"{exempt!r} must be a text, to start with {prefix}")
        return cls(left, comparison, right if is_column else int(right), (exempt, prefix) if exempt else None)

    def __str__(self) -> str:
        return f"{self.left}: {self.text}"

    @property
    def text(self) -> str:
        """The rule in words, without its column."""
        unless = f" unless {self.exempt[0]} starts with {self.exempt[1]}" if self.exempt else ""
        return f"must be {OPERATORS[self.comparison]} {self.right}{unless}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The compared columns."""
        return (self.left, self.right) if isinstance(self.right, str) else (self.left,)
