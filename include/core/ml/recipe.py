"""Identifies what a fitted model depends on: the recipe (types and parameters), its code, and the libraries."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from include.core.ml import artifact, skops_io, standalone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from include.core.ml.spec import ModelSpec

NOT_IN_NAMES = re.compile(r"[^\w\- ]", re.ASCII)
LONGEST_NAME, LONGEST_VALUE = 250, 500  # characters; MLflow's limit of names, and below that of values


def recipe_digest(model: Any) -> str:
    """Return the SHA-256 of everything that a fit depends on but the data; what was learned isn't part of it.

    That is the unfitted estimator, the source of its types that aren't a library's and of what they import, and the
    versions of the libraries.
    """
    content = skops_io.dumps(clone(model))
    own = {name.rpartition(".")[0] for name in skops_io.get_untrusted_types(data=content)}
    digest = hashlib.sha256(artifact.normalised(content))
    for path in sorted(standalone.files(own)):
        digest.update(path.read_bytes())
    digest.update(json.dumps([version(name) for name in standalone.LIBRARIES]).encode())
    return digest.hexdigest()


def hyperparameters(model: Any) -> dict[str, str]:
    """Return an estimator's parameters as text, by name; those of its parts have names such as ``part__parameter``.

    What isn't a number, a text, a truth value or ``None`` is left out, such as the parts themselves. Names get the
    characters that MLflow allows.
    """
    plain = (bool, int, float, str, type(None))
    found = {name: value for name, value in model.get_params(deep=True).items() if isinstance(value, plain)}
    return {
        NOT_IN_NAMES.sub("_", str(name))[:LONGEST_NAME]: repr(value)[:LONGEST_VALUE]
        for name, value in sorted(found.items())
    }


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
