"""Collects the constants that modules declare, by type."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

T = TypeVar("T")


def module_names(package: ModuleType, name: str) -> Iterator[str]:
    """Yield the full name of the module ``name`` in each subpackage of ``package`` that has one, without importing."""
    for subpackage in iter_modules(package.__path__, f"{package.__name__}."):
        if subpackage.ispkg and find_spec(f"{subpackage.name}.{name}"):
            yield f"{subpackage.name}.{name}"


def import_modules(package: ModuleType, name: str) -> Iterator[ModuleType]:
    """Yield the module ``name`` of each subpackage of ``package`` that has one."""
    return map(import_module, module_names(package, name))


def collect_constants(kind: type[T], modules: Iterable[ModuleType]) -> tuple[T, ...]:
    """Return the constants of a type, including the members of tuples of that type."""
    constants: list[T] = []
    for module in modules:
        for value in vars(module).values():
            members = value if isinstance(value, tuple) and value else (value,)
            if all(isinstance(member, kind) for member in members):
                constants += members
    return tuple(constants)
