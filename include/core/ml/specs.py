"""The models of several packages, one of which may be broken without affecting the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from include.core.collect import collect_constants, module_names
from include.core.ml.errors import SpecError
from include.core.ml.spec import ModelSpec

if TYPE_CHECKING:
    from types import ModuleType

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Specs:
    """The models of several packages.

    Attributes:
        valid: the specs, by the name of the model.
        broken: why the module ``spec`` of other packages can't be used, by the last part of the package's name.
    """

    valid: dict[str, ModelSpec]
    broken: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The name of every model, and of the packages whose module can't be used, sorted."""
        return sorted({*self.valid, *self.broken})

    def named(self, name: str) -> ModelSpec:
        """Return the spec of a model.

        Raises:
            SpecError: if there is none, naming those that there are, or the module that can't be used and why.
        """
        if name in self.valid:
            return self.valid[name]
        allowed = ", ".join(self.valid) or "none, no domain has a model"
        raise SpecError(self.broken.get(name) or f"model {name!r}: allowed: {allowed}")


def collect_specs(package: ModuleType) -> Specs:
    """Return the specs in the module ``spec`` of each subpackage; one that can't be used is logged and left out."""
    valid: dict[str, ModelSpec] = {}
    broken: dict[str, str] = {}
    for module in module_names(package, "spec"):
        owner = module.split(".")[-2]
        try:
            specs = collect_constants(ModelSpec, [import_module(module)])
        except Exception as error:  # whatever the module's code raises
            broken[owner] = f"{module} can't be imported: {type(error).__name__}: {error}"
            log.exception("%s can't be imported", module)
            continue
        for spec in specs:
            if valid.setdefault(spec.name, spec) is not spec:
                broken[owner] = f"{module}: another spec has the name {spec.name!r} too"
                log.error(broken[owner])
    return Specs(valid, broken)
