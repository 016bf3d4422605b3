"""Determines what is removed with a domain, and why it may have to stay."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from devstack.catalogue.facts import Facts
from devstack.removal.gone import Removed
from devstack.removal.repository import Repository, module_of
from include.core import settings as core
from include.core.collect import collect_constants
from include.core.settings import Connection, EnvironmentKey, Pool, Queue
from include.core.warehouse.dataset import Dataset

DOMAINS = "include/domains"
CODE = ("dags/", "plugins/spellbook/", "benchmarks/", "devstack/upstreams/")
"""Folders whose modules are removed with what they import."""
NEEDED = {"weather": "`make run`, the platform's tests and the benchmarks use it"}
"""Domains that can't be removed, and why."""


class RefusedError(ValueError):
    """Domains that can't be removed; the message says why, and what to do."""


@dataclass(frozen=True)
class Plan:
    """The removal of some domains.

    Attributes:
        names: of the domains.
        dags: every DAG.
        examples: further files to remove.
        repository: files to remove them from.
    """

    names: Sequence[str]
    dags: Sequence[Facts]
    examples: Collection[str]
    repository: Repository

    @cached_property
    def domains(self) -> list[str]:
        """The name of every domain."""
        return sorted({path.split("/")[2] for path in self._files if path.startswith(DOMAINS) and path.count("/") > 2})

    def check(self) -> None:
        """Check that nothing that remains needs what is removed.

        Raises:
            RefusedError: if a domain doesn't exist, or something that remains needs what is removed.
        """
        for name in self.names:
            if name in NEEDED:
                raise RefusedError(f"{name} can't be removed: {NEEDED[name]}")
            if name not in self.domains:
                raise RefusedError(f"domain {name!r} does not exist; domains: {', '.join(self.domains)}")
        reasons = [*self._read_assets(), *self._used_code()]
        if reasons:
            together = " ".join([*self.names, *sorted({domain for domain, _ in reasons if domain})])
            lines = dict.fromkeys(f"{domain or 'the platform'}: {reason}" for domain, reason in reasons)
            raise RefusedError("\n".join([*lines, f"remove them together: make remove-domain NAME='{together}'"]))

    @cached_property
    def removed(self) -> Removed:
        """What is removed, by every name that a text may use."""
        modules = {module_of(path) for path in self.paths if path.endswith(".py")}
        words = self.dag_ids | self._declared() | self._removed_assets()
        words |= {Path(path).name for path in self.paths if path.startswith(("dags/", "docs/"))}
        return Removed(frozenset(modules), frozenset(words), self.paths | self._removed_folders())

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every file that is removed."""
        paths = set(self.examples) | {path for path in self._files if self._owners(path) & set(self.names)}
        while more := {path for path in self._files if path not in paths and self._depends_on(path, paths)}:
            paths |= more
        paths |= {path for path in self._files if self._is_runbook_of(path, paths) or _is_result_of(path, paths)}
        return frozenset(paths | self._unread_data(paths))

    @cached_property
    def dag_ids(self) -> set[str]:
        """Every DAG that is removed."""
        return {dag.dag_id for dag in self.dags if self._is_removed(dag, self.paths)}

    @cached_property
    def data_folders(self) -> set[str]:
        """The names of the removed folders of recorded data."""
        return {path.split("/")[2] for path in self.paths if path.startswith("include/data/")}

    @cached_property
    def _files(self) -> list[str]:
        return self.repository.files()

    @cached_property
    def _python(self) -> list[str]:
        return [path for path in self._files if path.endswith(".py") and self.repository.is_cut(path)]

    @cached_property
    def _names(self) -> set[str]:
        """Further names that the domains declare as theirs."""
        return {word for name in self.names for word in _constant(name, "NAMES")}

    def _is_removed(self, dag: Facts, paths: Collection[str]) -> bool:
        return f"dags/{dag.file}" in paths or dag.dag_id in self._names

    def _owners(self, path: str) -> set[str]:
        """Return the domains that a file belongs to: by its place, by what it imports, or because they list it."""
        listed = {name for name in self.domains if any(fnmatch(path, pattern) for pattern in _constant(name, "OWNS"))}
        if listed:
            return listed
        owners, parts = set(), path.split("/")
        if path.startswith((f"{DOMAINS}/", "tests/unit/", "tests/integration/")) and parts[2] in self.domains:
            owners.add(parts[2])
        elif path.startswith(CODE) and path.endswith(".py"):
            names = (module.split(".") for module in self.repository.imports(path))
            owners = {parts[2] for parts in names if parts[:2] == ["include", "domains"] and len(parts) > 2}
        return {name for name in owners if not _constant(name, "STAYS")}

    def _users(self, path: str) -> set[str]:
        """Return the files that import a module."""
        removed = Removed(frozenset({module_of(path)}), frozenset(), frozenset())
        return {
            other
            for other in self._python
            if other != path and any(removed.has_module(module) for module in self.repository.imports(other))
        }

    def _depends_on(self, path: str, paths: set[str]) -> bool:
        """Tell whether a module imports what is removed, or is used and tested only by it."""
        if not path.startswith(CODE) or not path.endswith(".py") or path.endswith("__init__.py"):
            return False
        if not self._owners(path) <= set(self.names):
            return False
        removed = Removed(
            frozenset(module_of(file) for file in paths if file.endswith(".py")), frozenset(), frozenset()
        )
        if any(removed.has_module(module) for module in self.repository.imports(path)):
            return True
        if not path.startswith("plugins/"):
            return False
        users = self._users(path)
        return bool(users) and users <= paths and not self._is_named(module_of(path), paths)

    def _is_named(self, module: str, paths: set[str]) -> bool:
        """Tell whether a remaining file names a module, for Airflow to import it."""
        files = [
            path for path in self._files if path.startswith(("plugins/", "airflow.cfg", "include/core", "include/ops"))
        ]
        return any(module in self.repository.read(path) for path in files if path not in paths)

    def _is_runbook_of(self, path: str, paths: set[str]) -> bool:
        """Tell whether a file is the runbook of DAGs that are all removed."""
        if not path.startswith("docs/runbooks/"):
            return False
        stem = Path(path).stem
        dags = [dag for dag in self.dags if stem in {dag.dag_id, Path(dag.file).stem, dag.dag_id.split("_")[0]}]
        return bool(dags) and all(f"dags/{dag.file}" in paths for dag in dags)

    def _unread_data(self, paths: set[str]) -> set[str]:
        """Return the recorded data that only removed code reads; tests don't count."""
        code = {path: self.repository.read(path) for path in self._python if not path.startswith("tests/")}
        unread = set()
        for folder in {path.split("/")[2] for path in self._files if path.startswith("include/data/")}:
            patterns = (f'data" / "{folder}"', f'DATA / "{folder}"', f"data/{folder}", f'"{folder}/')
            readers = {path for path, text in code.items() if any(pattern in text for pattern in patterns)}
            if readers and readers <= paths:
                unread |= {path for path in self._files if path.startswith(f"include/data/{folder}/")}
        return unread

    def _removed_folders(self) -> set[str]:
        """Return the folders that become empty."""
        folders = {parent.as_posix() for path in self.paths for parent in Path(path).parents}
        return folders - {parent.as_posix() for path in set(self._files) - self.paths for parent in Path(path).parents}

    def _removed_assets(self) -> set[str]:
        """Return the assets that no DAG publishes any more."""
        assets = {asset for dag in self.dags if dag.dag_id in self.dag_ids for asset in dag.assets_out}
        kept = {asset for dag in self.dags if dag.dag_id not in self.dag_ids for asset in dag.assets_out}
        return assets - kept

    def _read_assets(self) -> Iterator[tuple[str, str]]:
        """Yield the domains whose DAGs read an asset that would lose its producer, and the reason."""
        for dag in self.dags:
            for asset in {*dag.assets_in, *dag.assets_read} & self._removed_assets():
                if dag.dag_id not in self.dag_ids:
                    [producer, *_] = sorted(other.dag_id for other in self.dags if asset in other.assets_out)
                    yield self._domain(f"dags/{dag.file}"), f"{dag.dag_id} reads {asset}, which {producer} publishes"

    def _used_code(self) -> Iterator[tuple[str, str]]:
        """Yield the domains whose code uses what is removed, and the reason."""
        for path in self._python:
            if path in self.paths or not path.startswith(("dags/", f"{DOMAINS}/", "devstack/upstreams/")):
                continue
            if path.endswith("/__init__.py"):  # a package lists what it owns
                continue
            used = {module for module in self.repository.imports(path) if self.removed.has_module(module)}
            used |= {word for word in _words(self.repository.read(path)) if self.removed.is_named_in(word)}
            if used:
                yield self._domain(path), f"{path} uses {min(used)}"

    def _domain(self, path: str) -> str:
        return min(self._owners(path), default="")

    def _declared(self) -> set[str]:
        """Return the names that only these domains declare: connections, services, pools, queues, keys, tables."""
        declarations = _declarations(self.names)
        kept = [*_declarations(set(self.domains) - set(self.names)), *collect_constants(Connection, [core])]
        services = [{item.service for item in items if isinstance(item, Connection)} for items in (declarations, kept)]
        names = {item.conn_id if isinstance(item, Connection) else str(item.name) for item in declarations}
        return names | {name for name in services[0] - services[1] if "_" in name} | self._names


def _constant(domain: str, name: str) -> Any:
    return getattr(import_module(f"include.domains.{domain}"), name, ())


def _declarations(domains: Collection[str]) -> list[Any]:
    """Return what the packages of these domains declare, except packages that stay."""
    items: list[Any] = []
    for module in (f"include.domains.{name}.{kind}" for name in domains for kind in ("settings", "datasets")):
        if find_spec(module) and not _constant(module.split(".")[2], "STAYS"):
            for kind in (Connection, EnvironmentKey, Pool, Queue, Dataset):
                items += collect_constants(kind, [import_module(module)])
    return items


def _words(text: str) -> set[str]:
    """Return the strings in code that may be a name or a path."""
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    return {node.value for node in nodes if isinstance(node.value, str) and " " not in node.value}


def _is_result_of(path: str, paths: Collection[str]) -> bool:
    """Tell whether a file is the stored result of a removed benchmark."""
    return path.startswith("benchmarks/results/") and f"benchmarks/{Path(path).stem}.py" in paths
