"""Delete domains: ``python -m devstack.removal NAME…``, or every example with ``--skeleton``."""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from devstack.catalogue.read import read_all
from devstack.errors import StackError
from devstack.generated import bring_up_to_date
from devstack.removal import python_files, text_files
from devstack.removal.plan import NEEDED, Plan, RefusedError
from devstack.removal.python_files import UncuttableError
from devstack.removal.repository import DATA_README, Repository, module_of

EXAMPLES: tuple[str, ...] = ("fragile_task", "notify_example")
"""DAGs outside the domains that a skeleton doesn't have."""
SHOWN = re.compile(r"make new-(?:dag|model) NAME=(\w+)")
"""A name with which the documentation shows how to write a DAG or a model. There, it isn't what is removed."""


def main() -> int:
    """Delete, and print what was deleted; return 1 without deleting anything if that isn't possible."""
    parser = argparse.ArgumentParser(prog="python -m devstack.removal", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a domain, as in include/domains")
    parser.add_argument("--skeleton", action="store_true", help="keep only my_first_spell and the weather pipeline")
    arguments = parser.parse_args()
    repository = Repository()
    names, examples = arguments.names, []
    if arguments.skeleton:
        names = sorted(set(Plan([], [], [], repository).domains) - NEEDED.keys())
        examples = [f"dags/{name}.py" for name in EXAMPLES]
    try:
        _require_commit(repository)
        print("reading every DAG, and every file that names what goes …", flush=True)
        facts, broken = read_all()
        _require_valid(repository, broken)
        plan = Plan(names, facts, examples, repository)
        plan.check()
        _require_elsewhere(plan, broken)
        changed = _edited(plan)
    except (RefusedError, UncuttableError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in sorted(plan.paths):
        repository.remove(path)
        print(f"deleted  {path}")
    for path, text in sorted(changed.items()):
        if text is None:
            repository.remove(path)
            print(f"deleted  {path}")
        else:
            (repository.root / path).write_text(text, encoding="utf-8")
            print(f"changed  {path}")
    return int(not bring_up_to_date(repository.root, [path for path, text in changed.items() if text is not None]))


def _require_commit(repository: Repository) -> None:
    """Check that everything is committed, so that git can restore it.

    Raises:
        RefusedError: if it isn't.
    """
    status = ["git", "status", "--porcelain"]
    if changes := subprocess.run(status, cwd=repository.root, capture_output=True, text=True, check=True).stdout:
        raise RefusedError(f"commit or stash these changes first, so that git can restore everything:\n{changes}")


def _require_valid(repository: Repository, broken: Mapping[str, str]) -> None:
    """Check that what files that don't load use can be read from their text.

    Raises:
        RefusedError: naming the first that isn't valid Python.
    """
    for file, error in broken.items():
        try:
            ast.parse(repository.read(f"dags/{file}"))
        except (SyntaxError, ValueError):
            raise RefusedError(
                f"dags/{file} may use what is removed, but isn't valid Python. {_advice(error)}"
            ) from None


def _require_elsewhere(plan: Plan, broken: Mapping[str, str]) -> None:
    """Check that no file that doesn't load goes with the domains: what belongs to its DAGs isn't known.

    Raises:
        RefusedError: naming the first.
    """
    for file, error in broken.items():
        if f"dags/{file}" in plan.paths:
            raise RefusedError(f"dags/{file} goes too, but it isn't known what belongs to its DAGs. {_advice(error)}")


def _advice(error: str) -> str:
    return f"It doesn't load: {error.strip().splitlines()[-1]}\nCorrect or delete that file, commit, and try again."


def _edited(plan: Plan) -> dict[str, str | None]:
    """Return the new text of each changed file; None for a test file without remaining tests.

    Raises:
        UncuttableError: if remaining code calls removed code.
    """
    repository, removed = plan.repository, plan.removed
    texts = {
        path: repository.read(path) for path in repository.files() if repository.is_cut(path) and path not in plan.paths
    }
    exported: dict[str, set[str]] = {}
    for path in (path for path in texts if path.endswith(".py")):
        for name in repository.imports(path):
            module, _, member = name.rpartition(".")
            exported.setdefault(module, set()).add(member)
    pages = "".join(text for path, text in texts.items() if path.endswith(".md"))
    shown = set(SHOWN.findall(pages)) & set(plan.names)
    changed: dict[str, str | None] = {}
    for path, text in texts.items():
        if not path.endswith(".py"):
            names = plan.data_folders if path == DATA_README else set()
            here = replace(removed, words=removed.words | names)
            if Path(path).suffix in {".md", ""}:
                here = here.without(shown)
            shorter = text_files.cut(text, Path(path).suffix, here)
        else:
            tests = Path(path).name.startswith(("test_", "conftest"))
            try:
                shorter = python_files.cut(text, removed, tests=tests, exported=exported.get(module_of(path), ()))
            except UncuttableError as error:
                raise UncuttableError(f"{path}: {error}") from error
        if shorter != text:
            is_empty = path.endswith(".py") and python_files.has_tests(text) and not python_files.has_tests(shorter)
            changed[path] = None if is_empty else shorter
    return changed


if __name__ == "__main__":
    sys.exit(main())
