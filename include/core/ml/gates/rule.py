"""The result of a rule."""

from __future__ import annotations

from pydantic import BaseModel


class Rule(BaseModel):
    """The result of a rule.

    Attributes:
        name: the rule and, where there is one, the slice.
        passed: whether the candidate may become champion as far as this rule is concerned.
        details: the figure, and what is allowed.
        is_harm: whether breaking it means harm; otherwise there is merely no reason for a change.
    """

    name: str
    passed: bool
    details: str
    is_harm: bool = True

    def __str__(self) -> str:
        return f"{self.name}: {self.details}"
