"""Finds what a DAG file uses that Airflow 3 removed: with ruff, and what ruff doesn't see."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from include.core.airflow2.names import ARGUMENTS, CONNECTIONS, CONTEXT, DAYS_AGO, MODULES, OF_RUNS, SQL_OPERATORS
from include.core.airflow2.templates import removed_variables

RULES = "AIR301,AIR302"  # removed, or moved to a provider; what is only deprecated still runs
REST = ARGUMENTS | CONTEXT | OF_RUNS | dict.fromkeys(CONNECTIONS, "use `conn_id`") | {"days_ago": DAYS_AGO}
OF_DEFAULTS = ("sla", "provide_context")
OF_TASKS = (*OF_DEFAULTS, "execution_date", *CONNECTIONS)
OF_DAGS = ("sla_miss_callback", "default_view", "orientation")


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
        source.decode()
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found = {(each.line, each.removed): each for each in (*own_findings(tree), *_of_ruff(source))}
    return sorted(found.values())


def advice(file: Path, shown: str) -> list[str]:
    """Return the lines to show with the error of a file that failed to load; none if it uses nothing that is gone.

    Args:
        file: where it is.
        shown: its path below the repository.

    Raises:
        OSError: if it can't be read.
    """
    lines = [f"{shown}, {finding}" for finding in findings(file)]
    return [*lines, f"`make adopt FILE={shown}` replaces what it can."] if lines else []


def own_findings(tree: ast.AST) -> Iterator[Finding]:
    """Yield what ruff doesn't report."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (found for name in names if (found := _module(node.lineno, name.name)))
            case ast.ImportFrom(module=str(name), level=0):
                if found := _module(node.lineno, name):
                    yield found
            case ast.Call():
                for keyword in removed_keywords(node):
                    yield Finding(keyword.lineno, str(keyword.arg), REST[str(keyword.arg)])
                for keyword in node.keywords:
                    if keyword.arg == "default_args":
                        yield from _default_args(keyword.value)
            case ast.Assign(targets=[ast.Name(id="default_args")], value=value):
                yield from _default_args(value)
    for text in template_strings(tree):
        yield from (Finding(text.lineno, name, REST[name]) for name in removed_variables(str(text.value)))
    for key in context_keys(tree):
        yield Finding(key.lineno, str(key.value), CONTEXT[str(key.value)])
    for parameter in _parameters(tree):
        yield Finding(parameter.lineno, parameter.arg, CONTEXT[parameter.arg])


def removed_keywords(call: ast.Call) -> list[ast.keyword]:
    """Return the removed arguments of a call that creates a DAG or a task, as its name says."""
    name = ast.unparse(call.func).removesuffix(".partial")
    removed: tuple[str, ...] = ()
    if name.rpartition(".")[2] in {"DAG", "dag"}:
        removed = OF_DAGS
    elif name.endswith(("Operator", "Sensor")) or name.startswith("task"):
        is_sql = name.rpartition(".")[2] in SQL_OPERATORS
        removed = tuple(each for each in OF_TASKS if is_sql or each not in CONNECTIONS)
    return [keyword for keyword in call.keywords if keyword.arg in removed]


def _default_args(node: ast.expr) -> Iterator[Finding]:
    match node:
        case ast.Dict(keys=keys):
            for key in keys:
                if isinstance(key, ast.Constant) and key.value in OF_DEFAULTS:
                    yield Finding(key.lineno, str(key.value), REST[str(key.value)])
        case ast.Call(func=ast.Name(id="dict"), keywords=keywords):
            yield from (Finding(each.lineno, each.arg, REST[each.arg]) for each in keywords if each.arg in OF_DEFAULTS)


def template_strings(tree: ast.AST) -> list[ast.Constant]:
    """Return the strings with Jinja that Airflow may render: neither docstrings nor what the file renders itself."""
    others = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Template", "from_string")):
            others |= {id(argument) for argument in node.args}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "{" in node.value
        and id(node) not in others
    ]


def context_keys(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield each removed key of ``context["key"]`` and ``context.get("key")`` in functions of tasks and callbacks."""
    for function in _functions(tree):
        names = {function.args.kwarg.arg} if function.args.kwarg else set()
        names |= {"context"} & {each.arg for each in function.args.args}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and ast.unparse(node.value).endswith("get_current_context()"):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        yield from (key for node in ast.walk(function) if (key := _key(node, names)) and key.value in CONTEXT)


def _key(node: ast.AST, names: set[str]) -> ast.Constant | None:
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant() as key) if name in names:
            return key
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name), attr="get" | "pop"), args=[ast.Constant() as key, *_]
        ) if name in names:
            return key
    return None


def _functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions that Airflow gives a context to."""
    called = {
        keyword.value.id
        for keyword in ast.walk(tree)
        if isinstance(keyword, ast.keyword)
        and isinstance(keyword.value, ast.Name)
        and str(keyword.arg).endswith(("python_callable", "_callback"))
    }
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.name in called or _is_task(node))
    ]


def _is_task(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("task") for decorator in function.decorator_list)


def _parameters(tree: ast.AST) -> Iterator[ast.arg]:
    """Yield the parameters through which tasks' functions ask for a removed variable."""
    given = {
        key.value
        for keyword in ast.walk(tree)
        if isinstance(keyword, ast.keyword) and keyword.arg == "op_kwargs" and isinstance(keyword.value, ast.Dict)
        for key in keyword.value.keys
        if isinstance(key, ast.Constant)
    }
    for function in _functions(tree):
        arguments = function.args
        plain = [*arguments.posonlyargs, *arguments.args]
        defaults = [*[None] * (len(plain) - len(arguments.defaults)), *arguments.defaults, *arguments.kw_defaults]
        for parameter, default in zip([*plain, *arguments.kwonlyargs], defaults, strict=True):
            is_given = isinstance(default, ast.Constant) and default.value is None  # by Airflow
            if parameter.arg in CONTEXT and parameter.arg not in given and (is_given or not _is_task(function)):
                yield parameter


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
