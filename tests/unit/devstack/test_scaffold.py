"""The names that new domains may have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devstack import scaffold
from devstack.errors import UsageError
from devstack.state import REPOSITORY


@pytest.mark.parametrize("page", ["README.md", "docs/models.md", "docs/make-it-yours.md"])
def test_the_names_in_the_documentation_are_accepted(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    models = re.findall(r"make new-model NAME=(\w+)", text)
    dags = re.findall(r"make new-dag NAME=(\w+)", text)
    assert models or dags
    for name, declared in [(name, f"{name}_model") for name in models] + [(name, name) for name in dags]:
        scaffold.require_name(name)
        scaffold.require_new(name, declared, {}, REPOSITORY)


def test_a_name_that_code_uses_is_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include/tables.py").write_text("# The tables.\nTABLE = 'orders'\n")
    with pytest.raises(UsageError, match=r"NAME=orders: include/tables\.py:2 has the word orders, .*such as my_orders"):
        scaffold.require_new("orders", "orders", {}, tmp_path)
    with pytest.raises(UsageError, match=r"NAME=tables: there is a module include/tables\.py"):
        scaffold.require_new("tables", "tables_model", {}, tmp_path)
    scaffold.require_new("orders", "orders_model", {}, tmp_path)
