"""How a model is trained, judged and deployed; each step takes and returns references to files."""

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
from include.core.ml.spec import content_digest, plain
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
    """What the gates say of a candidate: ``refusals`` name each broken rule with its numbers."""

    accepted: bool
    refusals: list[str]
    summary: str


def train(spec: ModelSpec, training: File, folds: Folds, names: Sequence[str]) -> str:
    """Cross-validate the baselines and the named models on the same folds, fit the best named one on all rows.

    Args:
        spec: of the model.
        training: Parquet file of the training rows: the spec's columns and its label.
        folds: the splits that all models share.
        names: of the spec's estimators; the best becomes the candidate.

    Returns:
        The URL of the candidate's evaluation, which is written last: without it there is no candidate.

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
        made = Path(temporary)
        sha256 = artifact.save(model, made / MODEL_FOLDER, rows.head(5), spec.trusted_types)
        (made / REFERENCE).write_bytes(reference_bytes(table, scores[chosen]))
        files = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
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
    """Judge a candidate by :mod:`include.core.ml.gates`; keep the verdict and the model card beside it.

    Raises:
        ArtifactError: if the candidate's files aren't those that were trained.
    """
    candidate = read(evaluation)
    model = load_model(evaluation, candidate, spec)
    reference = Reference((evaluation.parent / REFERENCE).read_bytes(), spec)
    scores = reference.scores(np.array(candidate.accuracies))
    champion = _opponent(spec, registry, candidate, reference)
    rules = judge(spec, scores, model, reference, candidate.test_share, champion)
    for rule in rules:
        log.log(logging.INFO if rule.passed else logging.ERROR, "%s: %s", rule.name, rule.found)
    refusals = [f"{rule.name}: {rule.found}" for rule in rules if not rule.passed]
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
    """Publish an accepted candidate, make it champion, see the server answer with it; return its version.

    A server that answers wrongly gets the former champion back.

    Args:
        spec: of the model.
        evaluation: an accepted candidate.
        registry: where it is published.
        server: what serves the champion.
        patience: seconds within which the server must have taken it up.
        keep: versions that the registry keeps.

    Raises:
        ArtifactError: if the candidate's files aren't those that were judged.
        RefusedError: if the verdict beside it isn't an acceptance.
        ServingError: if the server doesn't answer as it should; the former champion serves.
    """
    candidate = read(evaluation)
    verdict = Verdict.model_validate_json((evaluation.parent / "verdict.json").read_bytes())
    if not verdict.accepted:
        raise RefusedError(f"{candidate.name} was refused: {'; '.join(verdict.refusals)}")
    _smoke_test(spec, load_model(evaluation, candidate, spec), candidate)
    server.health()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fetch(evaluation, candidate, folder)
        for path in card.FILES:
            (folder / path).write_bytes((evaluation.parent / path).read_bytes())
        version = registry.publish(candidate.name, candidate.sha256, folder, card.record(spec, candidate))
    version = registry.promote(version)
    try:
        server.wait_for(version.number, patience)
        rows = [request.row for request in candidate.requests]
        answer = server.verify(version.number, rows, [request.probability for request in candidate.requests])
    except ServingError as error:
        restored = registry.roll_back(version)
        champion = f"version {restored} is champion again" if restored else "no version is champion"
        raise ServingError(f"version {version.number} was taken back, {champion}: {error}") from error
    for request, prediction in zip(candidate.requests, answer["predictions"], strict=True):
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
    found = {}
    for name, one in scores.items():
        comparison = compare(one.accuracies, scores[spec.reference].accuracies, 1 / (folds.splits - 1))
        found[name] = Result(
            metrics=metrics(one, labels).to_dict(), difference=comparison.difference, p_value=comparison.p_value
        )
    return found


def _requests(spec: ModelSpec, rows: pd.DataFrame, model: Any) -> list[Request]:
    """Return the first rows of each segment as requests, with the fitted model's answers."""
    chosen = rows.groupby(spec.segment(rows)).head(REQUESTS_PER_SEGMENT)
    probabilities = model.predict_proba(chosen)[:, 1]
    return [
        Request(row=row, probability=float(probability))
        for row, probability in zip(plain(chosen), probabilities, strict=True)
    ]


def _opponent(spec: ModelSpec, registry: Registry, candidate: Candidate, reference: Reference) -> Opponent | None:
    """Return the champion on the candidate's folds: as it was judged if those are the same, else judged anew."""
    champion = registry.champion()
    if champion is None:
        return None
    judged = Candidate.model_validate_json(registry.file(champion, EVALUATION))
    own = Reference(registry.file(champion, REFERENCE), spec)
    same = ("data_digest", "splits", "repeats", "seed")
    if all(getattr(judged, name) == getattr(candidate, name) for name in same):
        return Opponent(champion.number, own.scores(np.array(judged.accuracies)), own)
    name = f"{registry.name} version {champion.number}"
    model = artifact.load(registry.model_file(champion), champion.sha256, spec.trusted_types, name)
    folds = Folds(candidate.splits, candidate.repeats, candidate.seed)
    return Opponent(champion.number, cross_validate(model, reference.rows, reference.labels, folds), own)


def _smoke_test(spec: ModelSpec, model: Any, candidate: Candidate) -> None:
    """Have the candidate answer real requests, read as the server reads them.

    Raises:
        RefusedError: if an answer isn't the one that the model gave when it was trained.
    """
    rows = spec.frame([spec.row(**request.row) for request in candidate.requests])
    for request, probability in zip(candidate.requests, model.predict_proba(rows)[:, 1], strict=True):
        if not abs(probability - request.probability) <= TOLERANCE:
            raise RefusedError(
                f"{candidate.name}: {request.row[spec.title]!r} gets {probability}, but {request.probability}"
                " when the model was trained; do this worker and the one that trained have the same libraries?"
            )
