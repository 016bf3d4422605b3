"""Finds what a DAG file uses that Airflow 3 removed: with ruff, and what ruff doesn't see."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from devstack.airflow2.names import ARGUMENTS, CONTEXT, DAYS_AGO, MODULES

RULES = "AIR301,AIR302"  # removed, or moved to a provider; what is only deprecated still runs
REST = ARGUMENTS | CONTEXT | {"days_ago": DAYS_AGO}
IN_CALLS = ("sla", "execution_date", "provide_context")
BLOCK = re.compile(r"\{[{%][^{}]*[%}]\}")
WORD = re.compile(r"(?<![\w.'\"])[A-Za-z_]\w*")  # not an attribute, and not a key


@dataclass(frozen=True, order=True)
class Finding:
    """A line of a file that uses what was ``removed``, and what to do."""

    line: int
    removed: str
    advice: str

    def __str__(self) -> str:
        return f"line {self.line}: `{self.removed}` is gone in Airflow 3: {self.advice}"


def findings(file: Path) -> list[Finding]:
    """Return what a file uses that is gone; nothing if it isn't valid Python.

    Raises:
        OSError: if it can't be read.
    """
    source = file.read_bytes()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found = {(each.line, each.removed): each for each in (*own_findings(tree), *_of_ruff(source))}
    return sorted(found.values())


def own_findings(tree: ast.AST) -> Iterator[Finding]:
    """Yield what ruff doesn't report."""
    contexts = names_of_contexts(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (found for name in names if (found := _module(node.lineno, name.name)))
            case ast.ImportFrom(module=str(name), level=0):
                if found := _module(node.lineno, name):
                    yield found
            case ast.Call() if makes_dag_or_task(node):
                for keyword in node.keywords:
                    if keyword.arg in IN_CALLS:
                        yield Finding(keyword.lineno, keyword.arg, REST[keyword.arg])
                    elif keyword.arg == "default_args":
                        yield from _default_args(keyword.value)
            case ast.Assign(targets=[ast.Name(id="default_args")], value=value):
                yield from _default_args(value)
            case ast.Constant(value=str()):
                yield from (Finding(node.lineno, name, CONTEXT[name]) for name in templated(node))
        if (key := context_key(node, contexts)) is not None and key.value in CONTEXT:
            yield Finding(key.lineno, str(key.value), CONTEXT[str(key.value)])
    for parameter in _parameters(tree):
        yield Finding(parameter.lineno, parameter.arg, CONTEXT[parameter.arg])


def makes_dag_or_task(call: ast.Call) -> bool:
    """Tell whether a call creates a DAG or a task, as its name says."""
    name = ast.unparse(call.func)
    return name.rpartition(".")[2] in {"DAG", "dag"} or name.endswith(("Operator", "Sensor")) or name.startswith("task")


def _default_args(node: ast.expr) -> Iterator[Finding]:
    match node:
        case ast.Dict(keys=keys):
            for key in keys:
                if isinstance(key, ast.Constant) and key.value in IN_CALLS:
                    yield Finding(key.lineno, str(key.value), REST[str(key.value)])
        case ast.Call(func=ast.Name(id="dict"), keywords=keywords):
            yield from (Finding(each.lineno, each.arg, REST[each.arg]) for each in keywords if each.arg in IN_CALLS)


def templated(node: ast.Constant) -> list[str]:
    """Return the removed variables in the Jinja template that a string is."""
    if not isinstance(node.value, str):
        return []
    words = [word[0] for block in BLOCK.finditer(node.value) for word in WORD.finditer(block[0])]
    return [word for word in words if word in CONTEXT]


def context_key(node: ast.AST, contexts: frozenset[str]) -> ast.Constant | None:
    """Return the key of ``context["key"]`` or ``context.get("key")``; ``None`` if a node is something else."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant() as key) if name in contexts:
            return key
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name), attr="get" | "pop"), args=[ast.Constant() as key, *_]
        ) if name in contexts:
            return key
    return None


def names_of_contexts(tree: ast.AST) -> frozenset[str]:
    """Return the names that a task's context has in a file."""
    names = {"context"}
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments) and node.kwarg:
            names.add(node.kwarg.arg)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            if called.endswith("get_current_context"):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(names)


def _parameters(tree: ast.AST) -> Iterator[ast.arg]:
    """Yield the parameters of tasks' functions that are named after a removed variable."""
    callables = {
        keyword.value.id
        for keyword in ast.walk(tree)
        if isinstance(keyword, ast.keyword) and keyword.arg == "python_callable" and isinstance(keyword.value, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorated = any(ast.unparse(decorator).startswith("task") for decorator in node.decorator_list)
            if decorated or node.name in callables:
                parameters = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                yield from (each for each in parameters if each.arg in CONTEXT)


def _module(line: int, name: str) -> Finding | None:
    if known := next((MODULES[part] for part in _parents(name) if part in MODULES), ""):
        return Finding(line, name, known)
    if name.startswith("airflow.providers.") and not _is_installed(name):
        return Finding(line, name, "its module has another name, or its provider isn't in requirements.in")
    return None


def _parents(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _is_installed(module: str) -> bool:
    """Tell whether a module exists, without importing Airflow."""
    spec = find_spec("airflow")
    paths = [
        Path(folder).parent.joinpath(*module.split(".")) for folder in (spec and spec.submodule_search_locations) or ()
    ]
    return any(path.is_dir() or path.with_suffix(".py").is_file() for path in paths)


def ruff(source: bytes, *arguments: str) -> bytes:
    """Run ruff over a file's source; return its output."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--no-cache", "--exit-zero"]
    return subprocess.run([*command, *arguments, "-"], input=source, capture_output=True, check=True).stdout


def _of_ruff(source: bytes) -> Iterator[Finding]:
    for item in json.loads(ruff(source, f"--select={RULES}", "--output-format=json")):
        if item["code"] not in RULES.split(","):  # a syntax error that Python's parser lets pass
            continue
        name = item["message"].split("`")[1]
        advice = (
            (item["fix"] or {}).get("message") or REST.get(name.rpartition(".")[2]) or "see Airflow's upgrade guide"
        )
        yield Finding(item["location"]["row"], name, f"{advice[0].lower()}{advice[1:]}".removesuffix("."))
