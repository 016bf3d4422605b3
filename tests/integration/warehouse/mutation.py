"""Copies of modules with one guard removed."""

from __future__ import annotations

import importlib.util
import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def mutate(module: ModuleType, text: str, replacement: str, directory: Path) -> ModuleType:
    """Return a copy of ``module`` in which ``text``, found exactly once, is replaced."""
    source = inspect.getsource(module)
    assert source.count(text) == 1, f"{module.__name__} doesn't hold {text!r} exactly once"
    copy = directory / "mutant.py"
    copy.write_text(source.replace(text, replacement))
    spec = importlib.util.spec_from_file_location(module.__name__, copy)
    assert spec is not None
    assert spec.loader is not None
    mutant = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mutant)
    return mutant
