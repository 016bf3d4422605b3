"""Cut what went out of a Python file that stays."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from devstack.removal.gone import Gone

Edit = tuple[int, int, str]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Display = ast.List | ast.Tuple | ast.Set


class UncuttableError(ValueError):
    """Code that stays calls what went, and only a human can tell what it should call instead."""


def imported(text: str) -> set[str]:
    """Return the dotted names that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def has_tests(text: str) -> bool:
    """Tell whether a file defines a test."""
    return any(isinstance(node, Function) and node.name.startswith("test") for node in ast.parse(text).body)


def cut(text: str, gone: Gone, *, tests: bool, exported: Collection[str] = ()) -> str:
    """Return the text without what went, and without what only that used.

    An entry of a table goes alone. A test, and what it is made of, goes with what it names.

    Args:
        text: of the file.
        gone: what no longer exists.
        tests: whether it is a file of tests.
        exported: names that other files import from it.

    Raises:
        UncuttableError: if code other than tests calls what went.
    """
    dead: set[str] = set()
    while True:
        one = _Pass(text, gone, dead, tests)
        one.walk()
        shorter = one.result()
        orphans = _orphans(text, shorter) - set(exported)
        if shorter == text and one.died | orphans <= dead:
            return text
        text, dead = shorter, dead | one.died | orphans


class _Pass:
    """One pass over a file: what has to go is noted in ``edits``, what it defined in ``died``."""

    def __init__(self, text: str, gone: Gone, dead: set[str], tests: bool) -> None:
        self.text, self.gone, self.dead, self.tests = text, gone, dead, tests
        self.tree = ast.parse(text)
        self.lines = text.splitlines(keepends=True)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.edits: list[Edit] = []
        self.died: set[str] = set()

    def walk(self) -> None:
        """Look at each statement of the module."""
        for statement in _statements(self.tree):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.shorten_import(statement)
            elif (bound := _bound(statement)) and bound <= self.dead:
                self.drop(statement)
            elif not _is_string(statement):
                self.cut_within(statement)

    def result(self) -> str:
        """Return the text as edited."""
        pieces, end = [], 0
        for start, stop, replacement in sorted(self.edits):
            if start >= end:
                pieces += [self.text[end:start], replacement]
            end = max(end, stop)
        return "".join([*pieces, self.text[end:]])

    def shorten_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Import no longer what went."""
        module = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
        lost = [alias for alias in statement.names if self.gone.has_module(f"{module}{alias.name}")]
        if not lost:
            return
        self.died |= {alias.asname or alias.name.partition(".")[0] for alias in lost}
        statement.names = [alias for alias in statement.names if alias not in lost]
        self.edits.append(
            (self.place(statement), self.end(statement), ast.unparse(statement) if statement.names else "pass")
        )
        if not statement.names:
            self.edits[-1] = self.whole_lines(statement)

    def cut_within(self, statement: ast.stmt) -> None:
        """Cut the entries of tables that name what went, else the statement."""
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
        if any(self.is_final(node, statement) for node in others if not self.is_within(node, entries)):
            self.drop(statement)
            return
        for table, numbers in entries.items():
            self.cut_entries(table, numbers)

    def hits(self, statement: ast.stmt) -> Iterator[ast.AST]:
        """Yield the nodes that name what went."""
        for node in ast.walk(statement):
            match node:
                case ast.Constant(value=str(text)):
                    if not isinstance(self.parents[node], ast.Expr) and self.gone.is_named_in(text):
                        yield node
                case ast.Name(id=name, ctx=ast.Load()):
                    if name in self.dead:
                        yield node
                case ast.arg(arg=name):
                    if self.tests and name in self.dead:
                        yield node
                case ast.ImportFrom() | ast.Import():
                    module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                    if any(self.gone.has_module(f"{module}{alias.name}") for alias in node.names):
                        yield node

    def entry(self, node: ast.AST, statement: ast.stmt) -> tuple[ast.expr, int] | None:
        """Return the table in which a node stands and which of its entries goes; None if it stands in none."""
        inside = self.is_in_a_body(node)
        child = node
        while child is not statement:
            parent = self.parents[child]
            if isinstance(parent, ast.Dict):
                is_value = not (inside and self.tests) and not isinstance(self.parents[parent], Display)
                if child in parent.keys or (is_value and child in parent.values):
                    return parent, _number(parent, child)
            elif isinstance(parent, Display) and not self.is_one_thing(parent):
                record = isinstance(child, ast.Dict | ast.Call)
                if not inside or (record and not self.tests):
                    return parent, _number(parent, child)
            child = parent
        return None

    def is_one_thing(self, table: ast.expr) -> bool:
        """Tell whether a tuple is no table: a row of one, or names or values that are assigned side by side."""
        parent = self.parents[table]
        targets = parent.targets if isinstance(parent, ast.Assign) else []
        side_by_side = any(isinstance(target, ast.Tuple) for target in targets)
        return side_by_side or (isinstance(table, ast.Tuple) and isinstance(parent, Display | ast.Dict))

    def is_within(self, node: ast.AST, entries: dict[ast.expr, set[int]]) -> bool:
        """Tell whether a node stands in an entry that goes."""
        while node in self.parents:
            child, node = node, self.parents[node]
            if node in entries and _number(node, child) in entries[node]:
                return True
        return False

    def is_in_a_body(self, node: ast.AST) -> bool:
        """Tell whether a node stands in a function, but not among its decorators."""
        child = node
        while child in self.parents:
            parent = self.parents[child]
            if isinstance(parent, Function) and child not in parent.decorator_list:
                return True
            child = parent
        return False

    def is_final(self, node: ast.AST, statement: ast.stmt) -> bool:
        """Tell whether a statement goes with a node in it that names what went.

        Raises:
            UncuttableError: if it must not.
        """
        if self.tests or not isinstance(statement, Function | ast.ClassDef):
            return True
        if not isinstance(node, ast.Constant):
            raise UncuttableError(f"{statement.name} uses {ast.unparse(node)}, which goes")
        return False

    def cut_entries(self, table: ast.expr, numbers: set[int]) -> None:
        """Cut entries out of a table: the lines that they have for themselves, or else the line written anew."""
        spans = self.spans(table)
        if table.lineno == table.end_lineno:
            left = [self.text[start:stop] for number, (start, stop) in enumerate(spans) if number not in numbers]
            around = {ast.Tuple: "({})" if len(left) != 1 else "({},)", ast.List: "[{}]"}.get(type(table), "{{{}}}")
            self.edits.append((self.place(table), self.end(table), around.format(", ".join(left))))
            return
        for start, stop in (spans[number] for number in numbers):
            begin = self.text.rfind("\n", 0, start) + 1
            end = self.text.index("\n", stop) + 1
            alone = not self.text[begin:start].strip() and self.text[stop:end].lstrip(", ").startswith(("#", "\n"))
            after = re.compile(r",?\s*").match(self.text, stop)
            self.edits.append((begin, end, "") if alone else (start, after.end() if after else stop, ""))

    def spans(self, table: ast.expr) -> list[tuple[int, int]]:
        """Return where each entry of a table begins and ends."""
        if isinstance(table, ast.Dict):
            firsts = [key or value for key, value in zip(table.keys, table.values, strict=True)]
            return [(self.place(first), self.end(last)) for first, last in zip(firsts, table.values, strict=True)]
        return [(self.place(each), self.end(each)) for each in _members(table)]

    def drop(self, statement: ast.stmt) -> None:
        """Cut a whole statement, with the comments before it and the string that describes it."""
        self.died |= _bound(statement)
        self.edits.append(self.whole_lines(statement))

    def whole_lines(self, statement: ast.stmt) -> Edit:
        """Return the edit that cuts a statement."""
        first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])
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
        """Return the offset at which a node begins."""
        return self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Return the offset at which a node ends."""
        return self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a column, which Python counts in bytes."""
        before = self.lines[line - 1].encode()[:column].decode()
        return sum(map(len, self.lines[: line - 1])) + len(before)


def _members(table: ast.AST) -> list[ast.expr]:
    """Return the values of a table."""
    if isinstance(table, ast.Dict):
        return table.values
    return table.elts if isinstance(table, Display) else []


def _number(table: ast.AST, part: ast.AST) -> int:
    """Return which entry of a table a key or value is."""
    keys: list[ast.expr | None] = table.keys if isinstance(table, ast.Dict) else []
    return next(number for some in (keys, _members(table)) for number, each in enumerate(some) if each is part)


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
    """Return what a file defines and no longer uses, but did."""
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
