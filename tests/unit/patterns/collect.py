"""Collects every regular expression of the code base."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.state import REPOSITORY
from include.datasets import DATASETS

FOLDERS = ("dags", "deploy", "devstack", "include", "plugins")
FLAGS = {"compile": 1, "match": 2, "search": 2, "fullmatch": 2, "findall": 2, "finditer": 2, "split": 3, "sub": 4}
ONCE = {"match", "fullmatch"}  # tried at the start of a text only


@dataclass(frozen=True)
class Use:
    """A pattern and its file and line, or column; ``once`` if it is only tried at the start of a text.

    ``pattern`` is ``None`` if it is known only at run time.
    """

    place: str
    pattern: re.Pattern[str] | None
    once: bool


def uses() -> Iterator[Use]:
    """Yield the pattern of each call of a function of :mod:`re`, and of each dataset's column.

    DuckDB's RE2 runs the latter; Python's engine is used for them too, which is stricter.
    """
    files = [path for folder in FOLDERS for path in sorted((REPOSITORY / folder).rglob("*.py"))]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    everything = "\n".join(texts.values())
    for path, text in texts.items():
        if not re.search(r"\bre\.", text):
            continue
        tree = ast.parse(text)
        parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and (function := _function(call)):
                methods = {function} if function != "compile" else _methods(parents[call], everything)
                place = f"{path.relative_to(REPOSITORY)}:{call.lineno}"
                yield Use(place, _compiled(function, call, path), bool(methods) and methods <= ONCE)
    for dataset in DATASETS:
        for column in dataset.columns:
            if column.pattern:
                yield Use(f"{dataset.name}.{column.name}", re.compile(column.pattern), once=True)


def _function(call: ast.Call) -> str | None:
    """Return the name of the function of :mod:`re` that is called."""
    match call.func:
        case ast.Attribute(ast.Name("re"), name) if name in FLAGS:
            return name
    return None


def _methods(parent: ast.AST, text: str) -> set[str]:
    """Return the methods of a compiled pattern that are called somewhere; empty if its name isn't known."""
    match parent:
        case ast.Attribute(_, name):
            return {name}
        case ast.Assign([ast.Name(name)]):
            return set(re.findall(rf"\b{name}\.(\w+)", text)) & set(FLAGS)
    return set()


def _compiled(function: str, call: ast.Call, path: Path) -> re.Pattern[str] | None:
    position = FLAGS[function]
    flags = [*call.args[position : position + 1], *(word.value for word in call.keywords if word.arg == "flags")]
    try:
        return re.compile(*(_value(node, path) for node in [call.args[0], *flags]))
    except NameError:
        return None


def _value(node: ast.expr, path: Path) -> Any:
    """Evaluate an argument with the names of its module, which is imported only if it has some."""
    code = compile(ast.Expression(node), str(path), "eval")
    if {name.id for name in ast.walk(node) if isinstance(name, ast.Name)} <= {"re"}:
        return eval(code, {"re": re})  # noqa: S307  # our own code
    module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removeprefix("plugins.")
    return eval(code, vars(importlib.import_module(module)).copy())  # noqa: S307
