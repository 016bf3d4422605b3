"""What modules declare as constants, collected by type."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

T = TypeVar("T")


def names_of(package: ModuleType, name: str) -> Iterator[str]:
    """Yield the full name of the module ``name`` of each package below ``package`` that has one; import none."""
    for found in iter_modules(package.__path__, f"{package.__name__}."):
        if found.ispkg and find_spec(f"{found.name}.{name}"):
            yield f"{found.name}.{name}"


def modules_of(package: ModuleType, name: str) -> Iterator[ModuleType]:
    """Yield the module ``name`` of each package below ``package`` that has one."""
    return map(import_module, names_of(package, name))


def declared(kind: type[T], modules: Iterable[ModuleType]) -> tuple[T, ...]:
    """Return the constants of a type, and the members of tuples that hold nothing else."""
    found: list[T] = []
    for module in modules:
        for value in vars(module).values():
            members = value if isinstance(value, tuple) and value else (value,)
            if all(isinstance(member, kind) for member in members):
                found += members
    return tuple(found)
