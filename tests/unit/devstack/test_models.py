"""Which model `make reproduce` and `make roll-back` mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devstack.errors import StackError
from devstack.models import choose

CHURN, FRAUD = (SimpleNamespace(name=name) for name in ("churn", "fraud"))


def test_the_only_model_needs_no_name() -> None:
    only: Any = [CHURN]
    assert choose(only, "").name == choose(only, "churn").name == "churn"


def test_one_of_several_is_named() -> None:
    both: Any = [CHURN, FRAUD]
    assert choose(both, "fraud").name == "fraud"
    for wrong in ("", "titanic"):
        with pytest.raises(StackError, match=f"NAME={wrong}: allowed: churn, fraud"):
            choose(both, wrong)


def test_without_models_there_is_none_to_choose() -> None:
    with pytest.raises(StackError, match="no domain has a model"):
        choose([], "churn")
