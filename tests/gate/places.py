"""The lines of a DAG file that declare its DAGs, tasks and their arguments, and that create them."""

from __future__ import annotations

import ast
import re
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_stack
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from airflow.sdk import DAG
from airflow.sdk.definitions._internal.node import DAGNode

from include.house_rules import Problem
from tests.gate.launch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GATE = Path(__file__).resolve().parent
FRAME = re.compile(r'File "([^"]+)", line (\d+)')
PLACE = re.compile(r" at (\S+\.py):(\d+)")
VARYING = re.compile(r"\b(?:now|utcnow|today|random|uuid\w*|time)\b")


class Created:
    """The lines that create tasks and dependencies while one file is parsed."""

    def __init__(self) -> None:
        self.tasks: dict[str, int] = {}
        self.edges: list[tuple[str, str, int]] = []

    def closing_line(self) -> int | None:
        """Return the line of the first dependency that closes a circle; None if none does."""
        after: dict[str, set[str]] = {}
        for upstream, downstream, line in self.edges:
            if self._leads(after, downstream, upstream):
                return line
            after.setdefault(upstream, set()).add(downstream)
        return None

    def _leads(self, after: Mapping[str, set[str]], start: str, end: str) -> bool:
        seen, waiting = set(), [start]
        while waiting:
            node = waiting.pop()
            if node == end:
                return True
            if node not in seen:
                seen.add(node)
                waiting += after.get(node, ())
        return False


@contextmanager
def recording(path: str) -> Iterator[Created]:
    """Note which lines of a file create what, in this context."""
    created = Created()
    add_task, set_relatives = DAG.add_task, DAGNode._set_relatives

    def note_task(dag: DAG, task: Any) -> None:
        add_task(dag, task)
        if line := _line_of(path):
            created.tasks.setdefault(f"{dag.dag_id}/{task.task_id}", line)

    def note_edge(node: Any, others: Any, upstream: bool = False, **options: Any) -> None:
        set_relatives(node, others, upstream=upstream, **options)
        for other in others if isinstance(others, (list, tuple)) else [others]:
            ends = [(source, node) if upstream else (node, source) for source in _nodes(other, upstream)]
            created.edges += [(one.node_id, two.node_id, _line_of(path) or 1) for one, two in ends]

    with patch.object(DAG, "add_task", note_task), patch.object(DAGNode, "_set_relatives", note_edge):
        yield created


def _nodes(other: Any, upstream: bool) -> list[Any]:
    return list(other.leaves if upstream else other.roots)


def _line_of(path: str) -> int | None:
    """Return the line of the file that runs."""
    return next((line for frame, line in walk_stack(None) if frame.f_code.co_filename == path), None)


class Places:
    """The lines of one DAG file; ``created`` has the line that creates each ``dag_id/task_id``."""

    def __init__(self, path: str, created: Mapping[str, int]) -> None:
        self._created = created
        self._source = Path(path).read_text(encoding="utf-8", errors="replace") if Path(path).is_file() else ""
        try:
            tree: ast.AST = ast.parse(self._source)
        except (SyntaxError, ValueError):
            tree = ast.Module([], [])
        self._nodes = list(ast.walk(tree))

    def of(self, dag_id: str, problem: Problem) -> int:
        """Return the line to correct for a broken house rule."""
        if problem.line:
            return self._varying(problem.line) if "runtime-varying" in problem.message else problem.line
        if problem.text:
            return self.text(problem.text) or self.dag(dag_id)
        if problem.task:
            return self.task(dag_id, problem.task, problem.argument)
        return self.dag(dag_id, problem.argument)

    def text(self, text: str) -> int | None:
        """Return the first line with a text."""
        return next((number for number, line in enumerate(self._source.splitlines(), 1) if text in line), None)

    def created(self, dag_id: str, task_id: str) -> int:
        """Return the line that creates a task."""
        return self._created.get(f"{dag_id}/{task_id}") or self.dag(dag_id)

    def task(self, dag_id: str, task_id: str, argument: str = "") -> int:
        """Return the line that declares a task, or an argument of it."""
        return self.declared(dag_id, task_id, argument) or self.created(dag_id, task_id)

    def declared(self, dag_id: str, task_id: str, argument: str = "") -> int | None:
        """Return the line that declares a task by its id, or an argument of it; None if the id isn't written out."""
        declared = self._task(task_id.rpartition(".")[2])
        if declared is None:
            return None
        if isinstance(declared, ast.Call) and (line := _keyword(declared, argument)):
            return line
        dag = self._dag(dag_id)
        if argument and isinstance(dag, ast.Call) and (line := _keyword(dag, f"default_args.{argument}", exact=True)):
            return line
        return declared.lineno

    def dag(self, dag_id: str, argument: str = "") -> int:
        """Return the line that declares a DAG, or an argument of it."""
        declared = self._dag(dag_id)
        if declared is None:
            return 1
        if argument == "doc_md" and isinstance(declared, ast.Call):
            value = next((each.value for each in declared.keywords if each.arg == argument), None)
            if isinstance(value, ast.Name):
                return 1 if value.id == "__doc__" else self._assignment(value.id) or value.lineno
        line = _keyword(declared, argument) if isinstance(declared, ast.Call) else None
        return line or declared.lineno

    def imported(self, module: str) -> int:
        """Return the line that imports a module, else the first import."""
        imports = [node for node in self._nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in imports:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            if any(name.partition(".")[0] == module for name in names):
                return node.lineno
        return min((node.lineno for node in imports), default=1)

    def _dag(self, dag_id: str) -> ast.expr | None:
        """Return the call or decorator that declares a DAG; of any if none has that id as a literal."""
        found: list[ast.expr] = []
        for node in self._nodes:
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    if _name(decorator) == "dag":
                        if node.name == dag_id or _literal(decorator, "dag_id") == dag_id:
                            return decorator
                        found.append(decorator)
            elif isinstance(node, ast.Call) and _name(node) == "DAG":
                if _literal(node, "dag_id") == dag_id:
                    return node
                found.append(node)
        return found[0] if found else None

    def _task(self, task_id: str) -> ast.expr | None:
        for node in self._nodes:
            if isinstance(node, ast.FunctionDef) and node.name == task_id:
                return next((each for each in node.decorator_list if ast.unparse(each).startswith("task")), None)
            if isinstance(node, ast.Call) and _literal(node, "task_id") == task_id:
                return node
        return None

    def _assignment(self, name: str) -> int | None:
        return next(
            (
                node.lineno
                for node in self._nodes
                if isinstance(node, ast.Assign)
                and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
            ),
            None,
        )

    def _varying(self, line: int) -> int:
        """Return the line of the argument that varies, in the call that starts at a line."""
        for node in self._nodes:
            if isinstance(node, ast.Call) and node.lineno == line:
                for keyword in node.keywords:
                    if VARYING.search(ast.unparse(keyword.value)):
                        return keyword.lineno
        return line


def _name(node: ast.expr) -> str:
    """Return the last name of what is called or named: ``dag`` of ``@sdk.dag(…)``."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def _literal(node: ast.expr, argument: str) -> str | None:
    """Return the text that is passed as an argument, or first."""
    if not isinstance(node, ast.Call):
        return None
    values = [each.value for each in node.keywords if each.arg == argument] or node.args[:1]
    return next((str(each.value) for each in values if isinstance(each, ast.Constant)), None)


def _keyword(call: ast.Call, argument: str, *, exact: bool = False) -> int | None:
    """Return the line of ``argument``, or of the key in ``argument.key``; with ``exact``, not of the argument alone."""
    name, _, key = argument.partition(".")
    for keyword in call.keywords:
        if keyword.arg == name:
            if key and isinstance(keyword.value, ast.Dict):
                for each in keyword.value.keys:
                    if isinstance(each, ast.Constant) and each.value == key:
                        return each.lineno
            return None if exact else keyword.lineno
    return None


def place_in(text: str, path: str) -> tuple[str, int] | None:
    """Return the place that a traceback or ``at file:line`` names: the innermost in DAG file or repository."""
    frames = [(file, int(line)) for file, line in FRAME.findall(text) if file == path or _is_own(Path(file))]
    if frames:
        return frames[-1]
    named = PLACE.search(text)
    return (str(ROOT / named[1]), int(named[2])) if named else None


def _is_own(path: Path) -> bool:
    return path.is_relative_to(ROOT) and "site-packages" not in path.parts and path.parent != GATE
