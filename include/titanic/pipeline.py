"""The steps of ``titanic_ml_pipeline``, callable without Airflow; each takes and gives references to files."""

from __future__ import annotations

import io
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import BaseModel

from include.ml import artifact
from include.ml.errors import RefusedError, ServingError
from include.ml.evaluation import Folds, compare, cross_validate, metrics
from include.ml.registry import MODEL_FOLDER
from include.serving.client import TOLERANCE, ModelServer
from include.storage import file_name, write
from include.titanic import card
from include.titanic.candidate import (
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
from include.titanic.features import segment
from include.titanic.gates import Opponent, Thresholds, judge
from include.titanic.models import BASELINES, MODELS, TRUSTED_TYPES
from include.titanic.passengers import COLUMNS, LABEL, Passenger, content_digest, frame, plain
from include.titanic.passengers import read as read_passengers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from include.ml.evaluation import Scores
    from include.ml.registry import Registry
    from include.storage import File

MODEL_NAME = "titanic"
ARTICLE = "article_recipe"
REQUESTS_PER_SEGMENT = 3

log = logging.getLogger(__name__)


class Verdict(BaseModel):
    """What the gates say of a candidate: ``refusals`` name each broken rule with its numbers."""

    accepted: bool
    refusals: list[str]
    summary: str


def prepare(source: File, root: File, run_id: str) -> str:
    """Check the passenger list and keep it as Parquet; return the file's URL.

    Raises:
        DataError: naming line, column and value of what breaks a rule.
    """
    passengers = read_passengers(source.read_bytes())
    buffer = io.BytesIO()
    passengers.to_parquet(buffer, index=False)
    log.info("%s: %d passengers, %d survived", source, len(passengers), passengers[LABEL].sum())
    return write(root / MODEL_NAME / file_name(run_id) / "passengers.parquet", buffer.getvalue())


def train(passengers: File, folds: Folds, names: Sequence[str]) -> str:
    """Cross-validate the baselines and the named models on the same folds, fit the best named one on all rows.

    Returns the URL of the candidate's evaluation, which is written last: without it there is no candidate.

    Raises:
        KeyError: if a name isn't one of :data:`include.titanic.models.MODELS`.
    """
    table = pd.read_parquet(io.BytesIO(passengers.read_bytes()))
    rows, labels = table[list(COLUMNS)], table[LABEL].to_numpy(np.int64)
    scores: dict[str, Scores] = {}
    for name in dict.fromkeys((*BASELINES, *names)):
        scores[name] = cross_validate(MODELS[name](), rows, labels, folds)
        log.info("%s: accuracy %.4f over %d folds", name, scores[name].accuracies.mean(), len(scores[name].accuracies))
    chosen = max(names, key=lambda name: float(scores[name].accuracies.mean()))
    model = MODELS[chosen]().fit(rows, labels)

    folder = passengers.parent / "candidate"
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        sha256 = artifact.save(model, made / MODEL_FOLDER, rows.head(5), TRUSTED_TYPES)
        (made / REFERENCE).write_bytes(reference_bytes(table, scores[chosen]))
        files = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    for path, content in files.items():
        write(folder / path, content)
    candidate = Candidate(
        name=f"{passengers.parent.name}-{sha256[:12]}",
        chosen=chosen,
        data_digest=content_digest(table),
        rows=len(table),
        splits=folds.splits,
        repeats=folds.repeats,
        seed=folds.seed,
        accuracies=scores[chosen].accuracies.tolist(),
        results=_results(scores, labels, folds),
        files={path: artifact.digest(content) for path, content in files.items()},
        requests=_requests(rows, model),
    )
    return write(folder / EVALUATION, candidate.model_dump_json(indent=1).encode())


def evaluate(evaluation: File, registry: Registry, thresholds: Thresholds) -> Verdict:
    """Judge a candidate by :mod:`include.titanic.gates`; keep the verdict and the model card beside it.

    Raises:
        ArtifactError: if the candidate's files aren't those that were trained.
    """
    candidate = read(evaluation)
    model = load_model(evaluation, candidate)
    reference = Reference((evaluation.parent / REFERENCE).read_bytes())
    scores = reference.scores(np.array(candidate.accuracies))
    champion = _opponent(registry, candidate, reference)
    rules = judge(scores, model, reference, candidate.test_share, thresholds, champion)
    for rule in rules:
        log.log(logging.INFO if rule.passed else logging.ERROR, "%s: %s", rule.name, rule.found)
    refusals = [f"{rule.name}: {rule.found}" for rule in rules if not rule.passed]
    verdict = Verdict(
        accepted=not refusals,
        refusals=refusals,
        summary=card.summary(candidate, champion.number if champion else None),
    )
    for path, content in card.files(candidate, scores, reference, rules, thresholds.accuracy).items():
        write(evaluation.parent / path, content)
    write(evaluation.parent / "verdict.json", verdict.model_dump_json(indent=1).encode())
    return verdict


def deploy(evaluation: File, registry: Registry, server: ModelServer, patience: float, keep: int) -> int:
    """Publish an accepted candidate, make it champion, see the server answer with it; return its version.

    A server that answers wrongly gets the former champion back.

    Args:
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
    _smoke_test(load_model(evaluation, candidate), candidate)
    server.health()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fetch(evaluation, candidate, folder)
        for path in card.FILES:
            (folder / path).write_bytes((evaluation.parent / path).read_bytes())
        version = registry.publish(candidate.name, candidate.sha256, folder, card.record(candidate))
    version = registry.promote(version)
    try:
        server.wait_for(version.number, patience)
        passengers = [request.passenger for request in candidate.requests]
        answer = server.verify(version.number, passengers, [request.probability for request in candidate.requests])
    except ServingError as error:
        restored = registry.roll_back(version)
        champion = f"version {restored} is champion again" if restored else "no version is champion"
        raise ServingError(f"version {version.number} was taken back, {champion}: {error}") from error
    for request, prediction in zip(candidate.requests, answer["predictions"], strict=True):
        log.info(
            "%s: survives %s, probability %.3f",
            request.passenger["Name"],
            "yes" if prediction["survived"] else "no",
            prediction["probability"],
        )
    log.info("version %d serves; %d old version(s) removed", version.number, registry.prune(keep))
    return version.number


def _results(scores: dict[str, Scores], labels: NDArray[np.int64], folds: Folds) -> dict[str, Result]:
    found = {}
    for name, one in scores.items():
        comparison = compare(one.accuracies, scores[ARTICLE].accuracies, 1 / (folds.splits - 1))
        found[name] = Result(
            metrics=metrics(one, labels).to_dict(), difference=comparison.difference, p_value=comparison.p_value
        )
    return found


def _requests(rows: pd.DataFrame, model: Any) -> list[Request]:
    """Return the first passengers of each segment as requests, with the fitted model's answers."""
    chosen = rows.groupby(segment(rows)).head(REQUESTS_PER_SEGMENT)
    probabilities = model.predict_proba(chosen)[:, 1]
    return [
        Request(passenger=passenger, probability=float(probability))
        for passenger, probability in zip(plain(chosen), probabilities, strict=True)
    ]


def _opponent(registry: Registry, candidate: Candidate, reference: Reference) -> Opponent | None:
    """Return the champion on the candidate's folds: as it was judged if those are the same, else judged anew."""
    champion = registry.champion()
    if champion is None:
        return None
    judged = Candidate.model_validate_json(registry.file(champion, EVALUATION))
    own = Reference(registry.file(champion, REFERENCE))
    same = ("data_digest", "splits", "repeats", "seed")
    if all(getattr(judged, name) == getattr(candidate, name) for name in same):
        return Opponent(champion.number, own.scores(np.array(judged.accuracies)), own)
    name = f"{registry.name} version {champion.number}"
    model = artifact.load(registry.model_file(champion), champion.sha256, TRUSTED_TYPES, name)
    folds = Folds(candidate.splits, candidate.repeats, candidate.seed)
    return Opponent(champion.number, cross_validate(model, reference.passengers, reference.labels, folds), own)


def _smoke_test(model: Any, candidate: Candidate) -> None:
    """Have the candidate answer real requests, read as the server reads them.

    Raises:
        RefusedError: if an answer isn't the one that the model gave when it was trained.
    """
    passengers = frame([Passenger(**request.passenger) for request in candidate.requests])
    for request, probability in zip(candidate.requests, model.predict_proba(passengers)[:, 1], strict=True):
        if not abs(probability - request.probability) <= TOLERANCE:
            raise RefusedError(
                f"{candidate.name}: {request.passenger['Name']!r} gets {probability}, but {request.probability}"
                " when the model was trained; do this worker and the one that trained have the same libraries?"
            )
