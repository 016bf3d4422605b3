"""Brings a DAG file of Airflow 2 up to date where that doesn't change what it does."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from devstack.errors import UsageError
from include.core.airflow2.find import Finding, context_keys, findings, removed_keywords, ruff, template_strings
from include.core.airflow2.names import CONNECTIONS, IN_TEMPLATES, RENAMED
from include.core.airflow2.templates import removed_variables, renamed

RULES = "AIR301,AIR302,AIR311,AIR312"  # also what is deprecated
WITHOUT_EFFECT = frozenset({"provide_context", "default_view", "orientation"})


@dataclass(frozen=True)
class Edit:
    """Bytes of a source and what replaces them."""

    start: int
    end: int
    text: bytes


def adopt(file: Path) -> tuple[str, str, list[Finding]]:
    """Rewrite a file; return its source before and after, and what is left to do.

    Raises:
        StackError: if it can't be read or isn't valid Python; or replacements don't fit together; it stays as it is.
    """
    file = file.resolve()
    try:
        before = file.read_bytes()
        before.decode()
        tree = ast.parse(before)
        compile(before, str(file), "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{file}: {error}") from error
    after = ruff(_edited(before, _edits(tree, before)), f"--select={RULES}", "--fix-only", "--unsafe-fixes")
    after = _edited(after, _unused_imports(after))
    try:
        compile(after, str(file), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise UsageError(f"{file}: stays as it is, since the replacements don't fit together: {error}") from error
    if after != before:
        written = file.with_name(f".{file.name}.new")
        written.write_bytes(after)
        shutil.copymode(file, written)
        written.replace(file)
    return before.decode(), after.decode(), findings(file)


def _edited(source: bytes, edits: Iterable[Edit]) -> bytes:
    """Apply edits from the last to the first; leave out one that overlaps another."""
    untouched = len(source)
    for edit in sorted({*edits}, key=lambda edit: edit.start, reverse=True):
        if edit.end <= untouched:
            source = source[: edit.start] + edit.text + source[edit.end :]
            untouched = edit.start
    return source


def _starts(source: bytes) -> list[int]:
    """Return the offset of each line."""
    return [0, *accumulate(map(len, source.splitlines(keepends=True)))]


def _unused_imports(source: bytes) -> Iterator[Edit]:
    """Yield the removal of Airflow's names that nothing uses: their module may be gone."""
    starts, lines = _starts(source), source.splitlines(keepends=True)

    def offset(place: dict[str, int]) -> int:
        """Return where a row and a column, in characters, are; a removed line ends where the next one starts."""
        row, column = place["row"] - 1, place["column"] - 1
        return starts[row] + (len(lines[row].decode()[:column].encode()) if column else 0)

    for item in json.loads(ruff(source, "--select=F401", "--output-format=json")):
        if item["message"].startswith("`airflow.") and item["fix"]:
            for edit in item["fix"]["edits"]:
                yield Edit(offset(edit["location"]), offset(edit["end_location"]), edit["content"].encode())


def _edits(tree: ast.AST, source: bytes) -> Iterator[Edit]:
    starts = _starts(source)

    def span(node: ast.expr | ast.keyword) -> tuple[int, int]:
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return starts[node.lineno - 1] + node.col_offset, starts[end_line - 1] + end_column

    for key in context_keys(tree):
        if key.value in RENAMED:
            yield Edit(*span(key), f'"{RENAMED[str(key.value)]}"'.encode())
    for text in template_strings(tree):
        if any(name in IN_TEMPLATES for name in removed_variables(str(text.value))):
            start, end = span(text)
            yield Edit(start, end, renamed(source[start:end].decode()).encode())
    for call in ast.walk(tree):
        for keyword in removed_keywords(call) if isinstance(call, ast.Call) else ():
            start, end = span(keyword)
            if keyword.arg in WITHOUT_EFFECT:
                yield _removal(source, start, end)
            elif keyword.arg in CONNECTIONS:
                yield Edit(start, start + len(str(keyword.arg)), b"conn_id")


def _removal(source: bytes, start: int, end: int) -> Edit:
    """Remove an argument with the comma after it or, if it is the last, the one before it; comments stay."""
    rest = source[end:].lstrip(b" \t")
    if not rest.startswith(b","):
        before = source[:start].rstrip(b" \t")
        return Edit(len(before) - 1 if before.endswith(b",") else start, end, b"")
    rest = rest[1:].lstrip(b" \t")
    end = len(source) - len(rest)
    line = source.rfind(b"\n", 0, start) + 1
    if not source[line:start].strip() and rest.startswith((b"\n", b"\r\n")):
        return Edit(line, source.find(b"\n", end) + 1, b"")
    return Edit(start, end, b"")
