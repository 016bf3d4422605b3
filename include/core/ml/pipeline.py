"""Trains, evaluates and deploys a model; the steps exchange references to files."""

from __future__ import annotations

import io
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import BaseModel

from include.core.ml import artifact, card
from include.core.ml.candidate import (
    EVALUATION,
    REFERENCE,
    Candidate,
    Reference,
    Request,
    Result,
    fetch,
    load_model,
    read,
    reference_bytes,
)
from include.core.ml.errors import RefusedError, ServingError
from include.core.ml.evaluation import Folds, compare, cross_validate, metrics
from include.core.ml.gates import Opponent, judge
from include.core.ml.registry import MODEL_FOLDER
from include.core.ml.serving.client import TOLERANCE, ModelServer
from include.core.ml.spec import content_digest, to_records
from include.core.storage import write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from include.core.ml.evaluation import Scores
    from include.core.ml.registry import Registry
    from include.core.ml.spec import ModelSpec
    from include.core.storage import File

REQUESTS_PER_SEGMENT = 3

log = logging.getLogger(__name__)


class Verdict(BaseModel):
    """The gates' verdict on a candidate; ``refusals`` has each broken rule with its numbers."""

    accepted: bool
    refusals: list[str]
    summary: str


def train(spec: ModelSpec, training: File, folds: Folds, names: Sequence[str]) -> str:
    """Cross-validate the baselines and the named estimators on the same folds, and fit the best estimator on all rows.

    Args:
        spec: spec of the model.
        training: Parquet file of the training rows: the spec's columns and its label.
        folds: the splits that all models share.
        names: names of the spec's estimators; the best becomes the candidate.

    Returns:
        The URL of the candidate's evaluation, which is written last, when the candidate is complete.

    Raises:
        KeyError: if a name isn't one of the spec's estimators.
    """
    table = pd.read_parquet(io.BytesIO(training.read_bytes()))
    rows, labels = table[spec.columns], table[spec.label].to_numpy(np.int64)
    scores: dict[str, Scores] = {}
    for name in dict.fromkeys((*spec.baselines, *names)):
        scores[name] = cross_validate(spec.estimators[name](), rows, labels, folds)
        log.info("%s: accuracy %.4f over %d folds", name, scores[name].accuracies.mean(), len(scores[name].accuracies))
    chosen = max(names, key=lambda name: float(scores[name].accuracies.mean()))
    model = spec.estimators[chosen]().fit(rows, labels)

    folder = training.parent / "candidate"
    with tempfile.TemporaryDirectory() as temporary:
        staging = Path(temporary)
        sha256 = artifact.save(model, staging / MODEL_FOLDER, rows.head(5), spec.trusted_types, spec)
        (staging / REFERENCE).write_bytes(reference_bytes(table, scores[chosen]))
        files = {
            path.relative_to(staging).as_posix(): path.read_bytes() for path in staging.rglob("*") if path.is_file()
        }
    for path, content in files.items():
        write(folder / path, content)
    candidate = Candidate(
        name=f"{training.parent.name}-{sha256[:12]}",
        chosen=chosen,
        data_digest=content_digest(table),
        rows=len(table),
        splits=folds.splits,
        repeats=folds.repeats,
        seed=folds.seed,
        accuracies=scores[chosen].accuracies.tolist(),
        results=_results(spec, scores, labels, folds),
        files={path: artifact.digest(content) for path, content in files.items()},
        requests=_requests(spec, rows, model),
    )
    return write(folder / EVALUATION, candidate.model_dump_json(indent=1).encode())


def evaluate(spec: ModelSpec, evaluation: File, registry: Registry) -> Verdict:
    """Check a candidate against :mod:`include.core.ml.gates`; store the verdict and the model card beside it.

    Raises:
        ArtifactError: if the candidate's files were changed since the training.
    """
    candidate = read(evaluation)
    model = load_model(evaluation, candidate, spec)
    reference = Reference((evaluation.parent / REFERENCE).read_bytes(), spec)
    scores = reference.scores(np.array(candidate.accuracies))
    champion = _opponent(spec, registry, candidate, reference)
    rules = judge(spec, scores, model, reference, candidate.test_share, champion)
    for rule in rules:
        log.log(logging.INFO if rule.passed else logging.ERROR, "%s: %s", rule.name, rule.details)
    refusals = [f"{rule.name}: {rule.details}" for rule in rules if not rule.passed]
    verdict = Verdict(
        accepted=not refusals,
        refusals=refusals,
        summary=card.summary(spec, candidate, champion.number if champion else None),
    )
    for path, content in card.files(spec, candidate, scores, reference, rules).items():
        write(evaluation.parent / path, content)
    write(evaluation.parent / "verdict.json", verdict.model_dump_json(indent=1).encode())
    return verdict


def deploy(
    spec: ModelSpec, evaluation: File, registry: Registry, server: ModelServer, patience: float, keep: int
) -> int:
    """Publish an accepted candidate, make it champion, verify the server's predictions; return its version.

    If the verification fails, the former champion is restored.

    Args:
        spec: spec of the model.
        evaluation: an accepted candidate.
        registry: registry to publish to.
        server: server of the champion.
        patience: seconds within which the server must serve the new version.
        keep: number of versions to keep in the registry.

    Raises:
        ArtifactError: if the candidate's files were changed since the evaluation.
        RefusedError: if the candidate wasn't accepted.
        ServingError: if the verification fails; the former champion serves.
    """
    candidate = read(evaluation)
    verdict = Verdict.model_validate_json((evaluation.parent / "verdict.json").read_bytes())
    if not verdict.accepted:
        raise RefusedError(f"{candidate.name} was refused: {'; '.join(verdict.refusals)}")
    _smoke_test(spec, load_model(evaluation, candidate, spec), candidate)
    server.health()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = fetch(evaluation, candidate, folder)
        for path in card.FILES:
            (folder / path).write_bytes((evaluation.parent / path).read_bytes())
        version = registry.publish(candidate.name, files, folder, card.record(spec, candidate))
    version = registry.promote(version)
    try:
        server.wait_for(version.number, patience)
        rows = [request.row for request in candidate.requests]
        response = server.verify(version.number, rows, [request.probability for request in candidate.requests])
    except ServingError as error:
        restored = registry.roll_back(version)
        champion = f"version {restored} is champion again" if restored else "no version is champion"
        raise ServingError(f"version {version.number} was rolled back, {champion}: {error}") from error
    for request, prediction in zip(candidate.requests, response["predictions"], strict=True):
        log.info(
            "%s: %s %s, probability %.3f",
            request.row[spec.title],
            spec.positive,
            "yes" if prediction[spec.positive] else "no",
            prediction["probability"],
        )
    log.info("version %d serves; %d old version(s) removed", version.number, registry.prune(keep))
    return version.number


def _results(spec: ModelSpec, scores: dict[str, Scores], labels: NDArray[np.int64], folds: Folds) -> dict[str, Result]:
    results = {}
    for name, score in scores.items():
        comparison = compare(score.accuracies, scores[spec.reference].accuracies, 1 / (folds.splits - 1))
        results[name] = Result(
            metrics=metrics(score, labels).to_dict(), difference=comparison.difference, p_value=comparison.p_value
        )
    return results


def _requests(spec: ModelSpec, rows: pd.DataFrame, model: Any) -> list[Request]:
    """Return the first rows of each segment as requests, with the fitted model's predictions."""
    chosen = rows.groupby(spec.segment(rows)).head(REQUESTS_PER_SEGMENT)
    probabilities = model.predict_proba(chosen)[:, 1]
    return [
        Request(row=row, probability=float(probability))
        for row, probability in zip(to_records(chosen), probabilities, strict=True)
    ]


def _opponent(spec: ModelSpec, registry: Registry, candidate: Candidate, reference: Reference) -> Opponent | None:
    """Return the champion on the candidate's folds, cross-validated again unless the folds are the same."""
    champion = registry.champion()
    if champion is None:
        return None
    judged = Candidate.model_validate_json(registry.file(champion, EVALUATION))
    training = Reference(registry.file(champion, REFERENCE), spec)
    same = ("data_digest", "splits", "repeats", "seed")
    if all(getattr(judged, name) == getattr(candidate, name) for name in same):
        return Opponent(champion.number, training.scores(np.array(judged.accuracies)), training)
    model = registry.load(champion, spec.trusted_types).model
    folds = Folds(candidate.splits, candidate.repeats, candidate.seed)
    return Opponent(champion.number, cross_validate(model, reference.rows, reference.labels, folds), training)


def _smoke_test(spec: ModelSpec, model: Any, candidate: Candidate) -> None:
    """Compare the candidate's predictions for real requests, parsed as by the server, with those of the training.

    Raises:
        RefusedError: if a prediction differs.
    """
    rows = spec.frame([spec.row(**request.row) for request in candidate.requests])
    for request, probability in zip(candidate.requests, model.predict_proba(rows)[:, 1], strict=True):
        if not abs(probability - request.probability) <= TOLERANCE:
            raise RefusedError(
                f"{candidate.name}: {request.row[spec.title]!r} gets {probability}, but {request.probability}"
                " when the model was trained; do this worker and the one that trained it have the same libraries?"
            )
