"""Registers a judged candidate: as champion, if the gates' verdict still allows it, or as challenger."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from include.core.ml import artifact, card, verdicts
from include.core.ml.candidate import EVALUATION, Evaluation, fetch, read
from include.core.ml.errors import RefusedError, ServingError
from include.core.ml.recipe import code_digest
from include.core.ml.registry import MODEL
from include.core.ml.sandbox import run
from include.core.ml.sandbox.jobs import predict
from include.core.ml.serving.client import TOLERANCE, ModelServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.core.ml.registry import Registry, Version
    from include.core.ml.sandbox.content import Content
    from include.core.ml.spec import ModelSpec
    from include.core.ml.verdicts import Verdict
    from include.core.storage import File

log = logging.getLogger(__name__)


def challenge(spec: ModelSpec, file: File, registry: Registry) -> Version:
    """Publish a candidate that the gates found harmless, make it challenger, and return its version.

    Args:
        spec: spec of the model.
        file: description of the candidate.
        registry: registry to publish to.

    Raises:
        ArtifactError: if the candidate's files were changed since the evaluation.
        RefusedError: if the gates didn't find it harmless.
    """
    candidate = read(file)
    verdict = verdicts.require(registry.warehouse(), registry.name, candidate.name)
    if not verdict.is_harmless:
        raise RefusedError(f"{verdict.candidate} was refused: {'; '.join(verdict.refusals)}")
    version = publish(spec, verdict, fetch(file.parent, verdict.files), registry)
    registry.challenge(version)
    return version


def promote(spec: ModelSpec, registry: Registry, server: ModelServer, patience: float, keep: int, *, by: str) -> int:
    """Make the challenger champion, if the gates' verdict on it allows that; return its version.

    What the challenger answered doesn't count, nor what MLflow says of it: the verdict is the warehouse's, on the files
    whose checksums it has.

    Args:
        spec: spec of the model.
        registry: registry of the model.
        server: server of the champion.
        patience: seconds within which the server must serve the new version.
        keep: number of versions to keep in the registry.
        by: who promotes it; recorded with the reason.

    Raises:
        ArtifactError: if one of its files isn't the one that was judged.
        RefusedError: if there is no challenger, or it wasn't accepted, or by other code, or in comparison with another
            champion.
        ServingError: if the server doesn't serve it; the former champion serves.
    """
    version = registry.challenger()
    if not version:
        raise RefusedError(f"{registry.name} has no challenger")
    verdict = verdicts.require(registry.warehouse(), registry.name, version.candidate)
    files = {path: registry.file(version, path) for path in verdict.files}
    for path, content in files.items():
        artifact.verify(content, verdict.files[path], f"{registry.name} version {version.number}: {path}")
    require_deployable(spec, verdict, files, registry)
    server.health()
    return serve(spec, version, verdict, files, registry, server, patience, keep, by)


def require_deployable(spec: ModelSpec, verdict: Verdict, files: Mapping[str, bytes], registry: Registry) -> None:
    """Check that a candidate may become champion, and answers here as it did when it was judged.

    Raises:
        RefusedError: if it may not, or doesn't.
        SandboxError: if its model can't be loaded.
    """
    _require_current(spec, verdict, registry)
    _smoke_test(spec, files[MODEL], Evaluation.model_validate_json(files[EVALUATION]))


def publish(spec: ModelSpec, verdict: Verdict, files: Mapping[str, bytes], registry: Registry) -> Version:
    """Create a version of a judged candidate's files, or find the existing one."""
    evaluation = Evaluation.model_validate_json(files[EVALUATION])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        record = card.record(spec, evaluation, verdict.code)
        return registry.publish(verdict.candidate, verdict.files, folder, record)


def serve(
    spec: ModelSpec,
    version: Version,
    verdict: Verdict,
    files: Mapping[str, bytes],
    registry: Registry,
    server: ModelServer,
    patience: float,
    keep: int,
    by: str,
) -> int:
    """Make a version champion, verify the server's predictions, and return its number.

    Raises:
        ServingError: if the verification fails; the former champion was restored.
    """
    evaluation = Evaluation.model_validate_json(files[EVALUATION])
    version = registry.promote(version, pins=verdict.shows_quality, reason=verdict.reason, by=by)
    try:
        server.wait_for(version.number, patience)
        rows = [request.row for request in evaluation.requests]
        response = server.verify(version.number, rows, [request.probability for request in evaluation.requests])
    except ServingError as error:
        restored = registry.roll_back(version)
        champion = f"version {restored} is champion again" if restored else "no version is champion"
        raise ServingError(f"version {version.number} was rolled back, {champion}: {error}") from error
    for request, prediction in zip(evaluation.requests, response["predictions"], strict=True):
        log.info(
            "%s: %s %s, probability %.3f",
            request.row[spec.title],
            spec.positive,
            "yes" if prediction[spec.positive] else "no",
            prediction["probability"],
        )
    log.info("version %d serves; %d old version(s) removed", version.number, registry.prune(keep))
    return version.number


def _require_current(spec: ModelSpec, verdict: Verdict, registry: Registry) -> None:
    """Check that the verdict accepts the candidate, and that nothing it rests on has changed since.

    Raises:
        RefusedError: if it doesn't, or something has.
    """
    again = "clear the task that evaluates it"
    if not verdict.accepted:
        raise RefusedError(f"{verdict.candidate} was refused: {'; '.join(verdict.refusals)}")
    if verdict.code != code_digest(spec):
        raise RefusedError(f"{verdict.candidate} was judged by other code than this worker's: {again}")
    champion, pinned = registry.champion(), registry.pinned()
    if champion and champion.candidate == verdict.candidate:  # the task was killed after that
        return
    for role, version, compared in (("champion", champion, verdict.champion), ("pinned", pinned, verdict.pinned)):
        number = version.number if version else None
        if number != compared:
            raise RefusedError(
                f"{verdict.candidate} was compared with version {compared}, but version {number} is {role}: {again}"
            )


def _smoke_test(spec: ModelSpec, model: bytes, evaluation: Evaluation) -> None:
    """Compare the candidate's predictions for real requests, parsed as by the server, with those of the evaluation.

    Raises:
        RefusedError: if a prediction differs.
        SandboxError: if the model can't be loaded.
    """
    rows = spec.frame([spec.row(**request.row) for request in evaluation.requests])
    content: Content = {"model": model, "trusted": list(spec.trusted_types), "rows": rows}
    for request, probability in zip(evaluation.requests, run(predict, content)["probabilities"], strict=True):
        if not abs(probability - request.probability) <= TOLERANCE:
            raise RefusedError(
                f"{evaluation.name}: {request.row[spec.title]!r} gets {probability}, but {request.probability}"
                " when the model was evaluated; do this worker and the one that evaluated it have the same libraries?"
            )
