"""Identifies what a fitted model depends on: the recipe (types and parameters), its code, and the libraries."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from include.core.ml.standalone import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from include.core.ml.spec import ModelSpec


def recipe_digest(model: Any) -> str:
    """Return the SHA-256 of everything that a fit depends on but the data; what was learned isn't part of it.

    That is the types and parameters, the source of types that aren't a library's, and the versions of the libraries.
    """
    types: set[type] = set()
    described = _described(model, types)
    modules = sorted({kind.__module__ for kind in types if not _is_library(kind)})
    sources = [inspect.getsource(sys.modules[module]) for module in modules]
    text = json.dumps([described, sources, [version(name) for name in LIBRARIES]])
    return hashlib.sha256(text.encode()).hexdigest()


def code_digest(spec: ModelSpec) -> str:
    """Return the SHA-256 of the code that judges the model: the package of its row and :mod:`include.core.ml`."""
    folders = {Path(__file__).parent, Path(inspect.getfile(spec.row)).parent}
    digest = hashlib.sha256()
    for path in _sources(folders):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in sorted(folders):
        yield from sorted(folder.rglob("*.py"))


def _described(value: Any, types: set[type]) -> Any:
    if isinstance(value, BaseEstimator):
        types.add(type(value))
        parameters = value.get_params(deep=False)
        return [type(value).__qualname__, {name: _described(parameters[name], types) for name in sorted(parameters)}]
    if isinstance(value, list | tuple):
        return [_described(item, types) for item in value]
    return repr(value)


def _is_library(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in {"sklearn", "numpy", "scipy", "builtins"}
