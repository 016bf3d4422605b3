"""Cut references to removed names out of a Python file."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from devstack.removal.gone import Removed

Edit = tuple[int, int, str]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Display = ast.List | ast.Tuple | ast.Set


class UncuttableError(ValueError):
    """Remaining code calls removed code and has to be changed by hand."""


def imported(text: str) -> set[str]:
    """Return the dotted names that a file imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def has_tests(text: str) -> bool:
    """Tell whether a file defines a test."""
    return any(isinstance(node, Function) and node.name.startswith("test") for node in ast.parse(text).body)


def cut(text: str, removed: Removed, *, tests: bool, exported: Collection[str] = ()) -> str:
    """Return the text without what was removed, and without what only that used.

    A single entry is cut out of a table. A test that names something removed is cut with its fixtures and helpers.

    Args:
        text: of the file.
        removed: what was removed.
        tests: whether it is a test file.
        exported: names that other files import from it.

    Raises:
        UncuttableError: if code other than tests calls removed code.
    """
    undefined: set[str] = set()
    while True:
        current = _Pass(text, removed, undefined, tests)
        current.walk()
        shorter = current.result()
        orphans = _orphans(text, shorter) - set(exported)
        if shorter == text and current.newly_undefined | orphans <= undefined:
            return text
        text, undefined = shorter, undefined | current.newly_undefined | orphans


class _Pass:
    """One pass over a file: collects cuts in ``edits``, and the names that they undefine in ``newly_undefined``."""

    def __init__(self, text: str, removed: Removed, undefined: set[str], tests: bool) -> None:
        self.text, self.removed, self.undefined, self.tests = text, removed, undefined, tests
        self.tree = ast.parse(text)
        self.lines = text.splitlines(keepends=True)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.edits: list[Edit] = []
        self.newly_undefined: set[str] = set()

    def walk(self) -> None:
        """Visit each statement of the module."""
        for statement in _statements(self.tree):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.shorten_import(statement)
            elif (bound := _bound(statement)) and bound <= self.undefined:
                self.drop(statement)
            elif not _is_string(statement):
                self.cut_within(statement)

    def result(self) -> str:
        """Return the edited text."""
        pieces, end = [], 0
        for start, stop, replacement in sorted(self.edits):
            if start >= end:
                pieces += [self.text[end:start], replacement]
            end = max(end, stop)
        return "".join([*pieces, self.text[end:]])

    def shorten_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Remove imports of removed names."""
        module = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
        cut_names = [alias for alias in statement.names if self.removed.has_module(f"{module}{alias.name}")]
        if not cut_names:
            return
        self.newly_undefined |= {alias.asname or alias.name.partition(".")[0] for alias in cut_names}
        statement.names = [alias for alias in statement.names if alias not in cut_names]
        self.edits.append(
            (self.place(statement), self.end(statement), ast.unparse(statement) if statement.names else "pass")
        )
        if not statement.names:
            self.edits[-1] = self.whole_lines(statement)

    def cut_within(self, statement: ast.stmt) -> None:
        """Cut the table entries that name something removed, else the statement."""
        pending = list(self.hits(statement))
        entries: dict[ast.expr, set[int]] = {}
        others: list[ast.AST] = []
        while pending:
            node = pending.pop()
            entry = self.entry(node, statement)
            if entry is None:
                others.append(node)
                continue
            table, number = entry
            entries.setdefault(table, set()).add(number)
            if len(entries[table]) == len(_members(table)) and not isinstance(self.parents[table], ast.AnnAssign):
                del entries[table]
                pending.append(table)
        if any(self.is_removable(node, statement) for node in others if not self.is_within(node, entries)):
            self.drop(statement)
            return
        for table, numbers in entries.items():
            self.cut_entries(table, numbers)

    def hits(self, statement: ast.stmt) -> Iterator[ast.AST]:
        """Yield the nodes that name something removed."""
        for node in ast.walk(statement):
            match node:
                case ast.Constant(value=str(text)):
                    if not isinstance(self.parents[node], ast.Expr) and self.removed.is_named_in(text):
                        yield node
                case ast.Name(id=name, ctx=ast.Load()):
                    if name in self.undefined:
                        yield node
                case ast.arg(arg=name):
                    if self.tests and name in self.undefined:
                        yield node
                case ast.ImportFrom() | ast.Import():
                    module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                    if any(self.removed.has_module(f"{module}{alias.name}") for alias in node.names):
                        yield node

    def entry(self, node: ast.AST, statement: ast.stmt) -> tuple[ast.expr, int] | None:
        """Return the table that contains a node and the index of the entry to cut; None if there is no table."""
        inside = self.is_in_body(node)
        child = node
        while child is not statement:
            parent = self.parents[child]
            if isinstance(parent, ast.Dict):
                is_value = not (inside and self.tests) and not isinstance(self.parents[parent], Display)
                if child in parent.keys or (is_value and child in parent.values):
                    return parent, _number(parent, child)
            elif isinstance(parent, Display) and not self.is_single_value(parent):
                record = isinstance(child, ast.Dict | ast.Call)
                if not inside or (record and not self.tests):
                    return parent, _number(parent, child)
            child = parent
        return None

    def is_single_value(self, table: ast.expr) -> bool:
        """Tell whether a display isn't a table: a row of one, or the targets or values of a multiple assignment."""
        parent = self.parents[table]
        targets = parent.targets if isinstance(parent, ast.Assign) else []
        is_multiple = any(isinstance(target, ast.Tuple) for target in targets)
        return is_multiple or (isinstance(table, ast.Tuple) and isinstance(parent, Display | ast.Dict))

    def is_within(self, node: ast.AST, entries: dict[ast.expr, set[int]]) -> bool:
        """Tell whether a node is inside an entry that is cut."""
        while node in self.parents:
            child, node = node, self.parents[node]
            if node in entries and _number(node, child) in entries[node]:
                return True
        return False

    def is_in_body(self, node: ast.AST) -> bool:
        """Tell whether a node is in a function's body or signature, not in its decorators."""
        child = node
        while child in self.parents:
            parent = self.parents[child]
            if isinstance(parent, Function) and child not in parent.decorator_list:
                return True
            child = parent
        return False

    def is_removable(self, node: ast.AST, statement: ast.stmt) -> bool:
        """Tell whether a statement is cut because of a node in it that names something removed.

        Raises:
            UncuttableError: if it must not be cut.
        """
        if self.tests or not isinstance(statement, Function | ast.ClassDef):
            return True
        if not isinstance(node, ast.Constant):
            raise UncuttableError(f"{statement.name} uses {ast.unparse(node)}, which is removed")
        return False

    def cut_entries(self, table: ast.expr, numbers: set[int]) -> None:
        """Cut entries out of a table: their own lines, or rewrite a table on a single line."""
        spans = self.spans(table)
        if table.lineno == table.end_lineno:
            remaining = [self.text[start:stop] for number, (start, stop) in enumerate(spans) if number not in numbers]
            template = {ast.Tuple: "({})" if len(remaining) != 1 else "({},)", ast.List: "[{}]"}.get(
                type(table), "{{{}}}"
            )
            self.edits.append((self.place(table), self.end(table), template.format(", ".join(remaining))))
            return
        for start, stop in (spans[number] for number in numbers):
            begin = self.text.rfind("\n", 0, start) + 1
            end = self.text.index("\n", stop) + 1
            has_own_lines = not self.text[begin:start].strip() and self.text[stop:end].lstrip(", ").startswith(
                ("#", "\n")
            )
            after = re.compile(r",?\s*").match(self.text, stop)
            self.edits.append((begin, end, "") if has_own_lines else (start, after.end() if after else stop, ""))

    def spans(self, table: ast.expr) -> list[tuple[int, int]]:
        """Return the start and end offset of each entry of a table."""
        if isinstance(table, ast.Dict):
            firsts = [key or value for key, value in zip(table.keys, table.values, strict=True)]
            return [(self.place(first), self.end(last)) for first, last in zip(firsts, table.values, strict=True)]
        return [(self.place(member), self.end(member)) for member in _members(table)]

    def drop(self, statement: ast.stmt) -> None:
        """Cut a whole statement, with the comments before it and its docstring after it."""
        self.newly_undefined |= _bound(statement)
        self.edits.append(self.whole_lines(statement))

    def whole_lines(self, statement: ast.stmt) -> Edit:
        """Return the edit that cuts a statement."""
        first = min([statement.lineno, *(decorator.lineno for decorator in getattr(statement, "decorator_list", ()))])
        last = statement.end_lineno or first
        body = getattr(self.parents[statement], "body", [])
        if statement in body and not isinstance(statement, Function | ast.ClassDef):
            after = body[body.index(statement) + 1 :]
            if after and _is_string(after[0]):
                last = after[0].end_lineno or last
            if len(body) == 1 and not isinstance(self.parents[statement], ast.Module):
                return self.whole_lines(self.parents[statement])  # type: ignore[arg-type]
        while (
            first > 1
            and self.lines[first - 2].startswith("#")
            and not isinstance(statement, ast.Import | ast.ImportFrom)
        ):
            first -= 1
        return sum(map(len, self.lines[: first - 1])), sum(map(len, self.lines[:last])), ""

    def place(self, node: ast.AST) -> int:
        """Return the start offset of a node."""
        return self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Return the end offset of a node."""
        return self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line and column; ``ast`` counts columns in bytes."""
        before = self.lines[line - 1].encode()[:column].decode()
        return sum(map(len, self.lines[: line - 1])) + len(before)


def _members(table: ast.AST) -> list[ast.expr]:
    """Return the values of a table."""
    if isinstance(table, ast.Dict):
        return table.values
    return table.elts if isinstance(table, Display) else []


def _number(table: ast.AST, part: ast.AST) -> int:
    """Return the index of the entry that a key or value belongs to."""
    keys: list[ast.expr | None] = table.keys if isinstance(table, ast.Dict) else []
    return next(number for nodes in (keys, _members(table)) for number, node in enumerate(nodes) if node is part)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module, and those under ``if TYPE_CHECKING``."""
    for statement in tree.body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            yield from statement.body
        else:
            yield statement


def _is_string(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement defines."""
    if isinstance(statement, Function | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return set()


def _orphans(before: str, after: str) -> set[str]:
    """Return the names that a file defines and no longer uses after the cut."""
    undecorated = {
        name
        for statement in ast.parse(after).body
        if not getattr(statement, "decorator_list", None)
        for name in _bound(statement)
    }
    return {name for name in undecorated & (_used(before) - _used(after)) if not name.startswith(("test", "pytest_"))}


def _used(text: str) -> set[str]:
    tree = ast.parse(text)
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return loaded | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
