"""The challenger of the embedded stack's registered models: choose it, compare it with the champion, promote it."""

from __future__ import annotations

import datetime as dt
import getpass
import os
from typing import TYPE_CHECKING

from rich.table import Table
from upath import UPath

from devstack.environment import local_url
from devstack.errors import UsageError
from devstack.models import model
from include.core.settings import KEPT_VERSIONS, OBJECT_STORAGE, SERVING_PATIENCE

if TYPE_CHECKING:
    from rich.console import Console

    from devstack.stack import Stack
    from include.core.ml.comparison import Agreement, Comparison, Latency
    from include.core.ml.registry import Registry, Version
    from include.core.ml.spec import ModelSpec

NONE = "none"
CANDIDATES = 5  # that are listed


def choose(console: Console, stack: Stack, name: str, wanted: str) -> None:
    """Make a registered version or a harmless candidate the challenger; :data:`NONE`: no version is any more.

    Args:
        console: for the result.
        stack: the embedded stack, whose services are started as needed.
        name: name of the model; empty: the only one.
        wanted: number of a version, id of its MLflow run, or name of a candidate.

    Raises:
        StackError: if there is no such model, version or candidate, or it is the champion.
        ArtifactError: if the candidate's files were changed since the gates judged it.
        RefusedError: if the gates didn't find it harmless.
    """
    stack.ensure(("mlflow", "model_server"))
    spec, registry = model(stack, name)
    if wanted == NONE:
        if registry.challenger():
            registry.challenge(None)
        console.print(f"{spec.name} has no challenger", highlight=False)
        return
    version = _version(stack, spec, registry, wanted)
    console.print(f"{spec.name} version {version.number} is challenger", highlight=False)


def show(console: Console, stack: Stack, name: str, days: int) -> None:
    """Print who is challenger, and how the champion's and the challengers' answers of the last ``days`` compare.

    Raises:
        StackError: if there is no such model.
    """
    from include.core.ml import verdicts
    from include.core.ml.comparison import compare

    stack.ensure(("mlflow",))
    spec, registry = model(stack, name)
    champion, challenger = registry.champion(), registry.challenger()
    console.print(
        f"{spec.name}: champion {_named(champion)}, challenger {_named(challenger)}", highlight=False, markup=False
    )
    today = dt.datetime.now(dt.UTC).date()
    for comparison in compare(spec, stack.warehouse_uri, registry.name, today - dt.timedelta(days), today):
        _print(console, comparison)
    if challenger is None:
        for verdict in verdicts.newest(stack.warehouse_uri, registry.name, CANDIDATES):
            state = "accepted" if verdict.accepted else "harmless" if verdict.is_harmless else "refused"
            console.print(f"candidate {verdict.candidate}: {state}", highlight=False, markup=False)


def promote(console: Console, stack: Stack, name: str) -> None:
    """Make the challenger champion, if the gates have accepted it, and wait until it serves.

    Raises:
        StackError: if there is no such model.
        ArtifactError: if one of its files isn't the one that was judged.
        RefusedError: if there is no challenger, or the verdict doesn't allow it.
        ServingError: if the model server doesn't serve it in time.
    """
    from include.core.ml import deployment
    from include.core.ml.serving.client import ModelServer

    stack.ensure(("mlflow", "model_server"))
    spec, registry = model(stack, name)
    server = ModelServer(local_url(stack.state, "model_server"), spec)
    number = deployment.promote(
        spec,
        registry,
        server,
        patience=float(SERVING_PATIENCE.read()),
        keep=int(KEPT_VERSIONS.read()),
        by=f"{getpass.getuser()}, make promote",
    )
    console.print(f"{spec.name} version {number} serves", highlight=False)


def _version(stack: Stack, spec: ModelSpec, registry: Registry, wanted: str) -> Version:
    from include.core.ml import deployment, verdicts
    from include.core.ml.candidate import CANDIDATE, read

    champion, version = registry.champion(), registry.find(wanted)
    if version:
        if champion and version.number == champion.number:
            raise UsageError(f"{spec.name} version {version.number} is champion")
        registry.challenge(version)
        return version
    storage = UPath(os.environ.get(OBJECT_STORAGE.name) or stack.state.root / "storage")
    file = storage / spec.name / wanted.rpartition("-")[0] / "candidate" / CANDIDATE
    if not file.exists() or read(file).name != wanted:
        judged = [verdict.candidate for verdict in verdicts.newest(stack.warehouse_uri, registry.name, CANDIDATES)]
        raise UsageError(
            f"VERSION={wanted}: {spec.name} has no such version, run or candidate; the last candidates:"
            f" {', '.join(judged) or 'none'}"
        )
    return deployment.challenge(spec, file, registry)


def _named(version: Version | None) -> str:
    return f"version {version.number} ({version.candidate})" if version else "none"


def _print(console: Console, comparison: Comparison) -> None:
    table = Table(title=f"version {comparison.challenger} beside champion version {comparison.champion}")
    for heading in ("segment", "rows", "agreement", "mean difference", "mean distance", "outcomes", "accuracy of both"):
        table.add_column(heading, justify="left" if heading == "segment" else "right")
    for segment, agreement in comparison.segments.items():
        table.add_row(segment, *_cells(agreement))
    console.print(table)
    console.print(
        f"champion {_milliseconds(comparison.champion_latency)}, challenger"
        f" {_milliseconds(comparison.challenger_latency)}",
        highlight=False,
    )


def _cells(agreement: Agreement) -> list[str]:
    accuracies = agreement.accuracies
    return [
        str(agreement.rows),
        f"{agreement.agreement:.1%}",
        f"{agreement.mean_difference:+.4f}",
        f"{agreement.mean_distance:.4f}",
        str(agreement.outcomes),
        f"{accuracies[0]:.3f} {accuracies[1]:.3f}" if accuracies else "",
    ]


def _milliseconds(latency: Latency | None) -> str:
    return f"median {latency.median:.1f} ms, 95 % within {latency.high:.1f} ms" if latency else "not measured"
