"""The embedded stack's registered models: train a version again, or serve the version before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstack.environment import local_url
from devstack.errors import UsageError
from include.core.ml.tracking_server import PIPELINE
from include.core.settings import SERVING_PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from devstack.stack import Stack
    from include.core.ml.registry import Registry
    from include.core.ml.spec import ModelSpec


def reproduce(console: Console, stack: Stack, name: str, wanted: str) -> bool:
    """Train a version again from what is recorded with it; return whether that gives the same file.

    Args:
        console: for the result.
        stack: the embedded stack, whose services are started as needed.
        name: name of the model; empty: the only one.
        wanted: number of a version or id of its MLflow run; empty: the champion.

    Raises:
        StackError: if there is no such model or version.
        ArtifactError: if it can't be trained again; the message says why.
    """
    from include.core.ml import versions

    stack.ensure(("mlflow",))
    spec, registry = model(stack, name)
    version = registry.find(wanted)
    if not version:
        raise UsageError(f"{spec.name} has no {f'version or run {wanted}' if wanted else 'champion'}")
    result = versions.reproduce(spec, registry, version)
    console.print(
        f"{spec.name} version {version.number}: {result.estimator} on {result.rows} {spec.rows_name}", highlight=False
    )
    console.print(f"  recorded  {result.recorded}\n  trained   {result.trained}", highlight=False)
    for library in result.libraries:
        console.print(f"  [yellow]other library[/]: {library}", highlight=False)
    console.print("[green]the same file[/]" if result.is_same else "[red]another file[/]")
    return result.is_same


def roll_back(console: Console, stack: Stack, name: str) -> bool:
    """Make the version that the champion of a model replaced champion again, and wait until it serves.

    Raises:
        StackError: if there is no such model.
        RefusedError: if there is no champion, or it replaced none.
        ServingError: if the model server doesn't serve it in time.
    """
    from include.core.ml import versions
    from include.core.ml.serving.client import ModelServer

    stack.ensure(("mlflow", "model_server"))
    spec, registry = model(stack, name)
    server = ModelServer(local_url(stack.state, "model_server"), spec)
    number = versions.roll_back(registry, server, float(SERVING_PATIENCE.read()))
    console.print(f"{spec.name} version {number} serves", highlight=False)
    return True


def model(stack: Stack, name: str) -> tuple[ModelSpec, Registry]:
    """Return the spec called ``name``, or the only one if it is empty, and its registered model.

    Raises:
        StackError: naming those that there are.
    """
    from include.core.ml.registry import Registry
    from include.core.ml.tracking import Server
    from include.models import SPECS

    if name in SPECS.broken:
        raise UsageError(SPECS.broken[name])
    spec = choose(list(SPECS.valid.values()), name)
    server = Server(local_url(stack.state, "mlflow"), PIPELINE, stack.state.secret(f"mlflow-{PIPELINE}"))
    return spec, Registry(server, spec.name, lambda: stack.warehouse_uri)


def choose(specs: Sequence[ModelSpec], name: str) -> ModelSpec:
    """Return the spec called ``name``, or the only one if it is empty.

    Raises:
        StackError: naming those that there are.
    """
    named = {spec.name: spec for spec in specs}
    if not named:
        raise UsageError("no domain has a model")
    if name not in named and (name or len(named) > 1):
        raise UsageError(f"NAME={name}: allowed: {', '.join(named)}")
    return named[name or next(iter(named))]
