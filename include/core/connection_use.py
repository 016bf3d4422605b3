"""Which connections a DAG uses: those that its operators hold, and those that its file names."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION_NAME = re.compile(r"[a-z][a-z0-9_]*_default")


@cache
def named(path: str) -> dict[str, int]:
    """Return the connection ids that a Python file names, with the line of each.

    These are texts that look like ``…_default``, and texts passed as ``…conn_id=``.
    """
    tree = parsed(path)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr) and CONNECTION_NAME.fullmatch(_text(node))]
    passed = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and (node.arg or "").endswith("conn_id")
    ]
    return {_text(node): node.lineno for node in (*nodes, *passed) if _text(node) and "{{" not in _text(node)}


def held(task: Any) -> Iterator[str]:
    """Yield the connection ids that an operator was made with, be it mapped or a decorated function."""
    partial = getattr(task, "partial_kwargs", {})
    holders: list[dict[str, Any]] = [vars(task), partial]
    for holder in (vars(task), partial):
        holders += [given for name in ("op_kwargs", "_op_kwargs") if isinstance(given := holder.get(name), dict)]
        callable_, arguments = holder.get("python_callable"), holder.get("op_args")
        if callable(callable_) and arguments:
            holders.append(dict(zip(inspect.signature(callable_).parameters, arguments, strict=False)))
    for holder in holders:
        for name, value in holder.items():
            if name.endswith("conn_id") and isinstance(value, str) and "{{" not in value:
                yield value


@cache
def parsed(path: str) -> ast.Module:
    """Return the file's syntax tree; an empty one for a file that lies in an archive."""
    file = Path(path)
    return ast.parse(file.read_bytes() if file.is_file() else b"", path)


def _text(node: ast.expr) -> str:
    """Return the node's text, or an empty one if it is something else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
