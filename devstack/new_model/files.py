"""The files of a new model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstack import scaffold
from devstack.errors import StackError
from devstack.removal.repository import DATA_README
from devstack.state import REPOSITORY

if TYPE_CHECKING:
    from devstack.new_model.table import Table

TAKEN = {"model", "prediction_id", "predictions", "probability", "version"}
"""Fields that a response has anyway."""


def paths(name: str) -> dict[str, Path]:
    """Return the path of each file, relative to the repository, by its template."""
    domain, tests = Path("include/domains") / name, Path("tests/unit") / name
    return {
        "__init__.py": domain / "__init__.py",
        "settings.py": domain / "settings.py",
        "rows.py": domain / "rows.py",
        "spec.py": domain / "spec.py",
        "dag.py": Path("dags") / f"{name}_model.py",
        "test.py": tests / f"test_{name}_model.py",
        "runbook.md": Path("docs/runbooks") / f"{name}_model.md",
    }


def write(name: str, table: Table, content: bytes, root: Path = REPOSITORY) -> list[Path]:
    """Write a model's files, and the list beside the other data; return the paths of what was written.

    Raises:
        StackError: if the name is invalid or taken, or a file exists; nothing is written.
    """
    scaffold.require_name(name)
    texts = _rendered(name, table)
    files = {root / path: texts[template].encode() for template, path in paths(name).items()}
    files[root / "tests/unit" / name / "__init__.py"] = b""
    files[root / "include/data" / name / f"{name}.csv"] = content
    scaffold.require_new(name, f"{name}_model", files, root)
    readme = (root / DATA_README).read_text(encoding="utf-8")
    if name in re.findall(r"\w+", readme):
        raise StackError(
            f"NAME={name}: a word of {DATA_README}, in which `make remove-domain` couldn't tell the model's line from"
            " others; choose another NAME"
        )
    files[root / DATA_README] = _with_entry(readme, name).encode()
    return scaffold.write(files)


def _with_entry(readme: str, name: str) -> str:
    """Return the page about the data with a line for a model's list, at the end of its first table."""
    table, blank, rest = readme.partition("|\n\n")
    return (
        f"{table}|\n| `{name}/` | training list of `{name}_model` | to be stated | to be stated |\n\n{rest}"
        if blank
        else readme
    )


def _rendered(name: str, table: Table) -> dict[str, str]:
    label = table.label.lower()
    values = {
        "name": name,
        "upper": name.upper(),
        "table": table,
        "accuracy": f"{table.share:.2f}",
        "positive": f"{label}_" if label in TAKEN else label,
        "positive_text": f"have {table.label} = {table.classes[1]}",
        "example": _example(table),
    }
    return {template: scaffold.render("devstack.new_model", template, values) for template in paths(name)}


def _example(table: Table) -> str:
    """Return a row as JSON, with the first value or the bound of each column that isn't nullable."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if not column.nullable:
            number = int if column.kind == "integer" else float
            row[column.name] = column.levels[0] if column.levels else number(column.minimum or 0)
    return json.dumps(row, ensure_ascii=False)
