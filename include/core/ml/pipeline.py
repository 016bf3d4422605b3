"""Trains, evaluates and deploys a model; the steps exchange references to files."""

from __future__ import annotations

import io
import logging
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from include.core.ml import artifact, card, deployment, skops_io, standalone, verdicts
from include.core.ml.candidate import (
    CANDIDATE,
    EVALUATION,
    REFERENCE,
    Candidate,
    Evaluation,
    Reference,
    Request,
    Result,
    fetch,
    read,
    reference_bytes,
)
from include.core.ml.corners import corners
from include.core.ml.errors import ArtifactError, SandboxError
from include.core.ml.evaluation import Folds, Scores, compare, cross_validate, metrics
from include.core.ml.gates import Judgement, Opponent, Rule, data, judge
from include.core.ml.gates.behaviour import Cost
from include.core.ml.gates.quality import permute
from include.core.ml.recipe import code_digest, recipe_digest
from include.core.ml.registry import MODEL, MODEL_FOLDER, TAG_RETIRED
from include.core.ml.sandbox import run
from include.core.ml.sandbox.jobs import examine, measure, predict
from include.core.ml.serving.client import ModelServer
from include.core.ml.spec import content_digest, to_records
from include.core.ml.verdicts import Recipe, Verdict, scored
from include.core.storage import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from include.core.ml.registry import Registry, Version
    from include.core.ml.sandbox.content import Content
    from include.core.ml.spec import ModelSpec
    from include.core.storage import File

REQUESTS_PER_SEGMENT = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Table:
    """A training list: raw rows, their labels, and a number for each row, equal for copies."""

    rows: pd.DataFrame
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]

    @classmethod
    def read(cls, spec: ModelSpec, training: File, folds: Folds) -> tuple[pd.DataFrame, Table]:
        """Return a stored training list as it is, and split.

        Raises:
            DataError: if no model can be trained on it; see :func:`include.core.ml.gates.data.require_trainable`.
        """
        table = pd.read_parquet(io.BytesIO(training.read_bytes()))
        data.require_trainable(spec, table, folds.splits)
        rows, labels = table[spec.columns], table[spec.label].to_numpy(np.int64)
        return table, cls(rows, labels, data.groups(rows))


def train(spec: ModelSpec, training: File, folds: Folds, names: Sequence[str], warehouse: str) -> str:
    """Cross-validate the baselines and the named estimators on the same folds, and fit the best estimator on all rows.

    Args:
        spec: spec of the model.
        training: Parquet file of the training rows: the spec's columns and its label.
        folds: the splits that all models share.
        names: names of the spec's estimators; the best becomes the candidate.
        warehouse: URI of the warehouse, which keeps the scores.

    Returns:
        The URL of the candidate's description, which is written last, when the candidate is complete.

    Raises:
        DataError: if no model can be trained on the rows.
        SandboxError: if one of the named estimators can't be.
    """
    _, table = Table.read(spec, training, folds)
    scores = _score_estimators(spec, [*spec.baselines, *names], table, folds, warehouse)
    chosen = max(names, key=lambda name: float(_usable(scores[name]).accuracies.mean()))
    model = spec.estimators[chosen]().fit(table.rows, table.labels)

    folder, content = training.parent / "candidate", standalone.dump(model, spec.trusted_types)
    write(folder / MODEL, content)
    sha256 = artifact.digest(content)
    candidate = Candidate(name=f"{training.parent.name}-{sha256[:12]}", tried=list(names), chosen=chosen, sha256=sha256)
    return write(folder / CANDIDATE, candidate.model_dump_json(indent=1).encode())


def evaluate(
    spec: ModelSpec, training: File, file: File, registry: Registry, folds: Folds, *, needs_gain: bool = True
) -> Verdict:
    """Judge a candidate by :mod:`include.core.ml.gates`; record the verdict, and store the model card beside it.

    Everything is computed from the candidate's model file and the training list; the scores of recipes that the
    warehouse keeps were computed in the same way.

    Args:
        spec: spec of the model.
        training: Parquet file of the training rows.
        file: description of the candidate.
        registry: registry with the champion.
        folds: the splits to judge it by.
        needs_gain: whether it must be better than the champion in something.

    Raises:
        ArtifactError: if the candidate's files were changed since the training, or the champion can't be judged.
        DataError: if no model can be trained on the rows.
    """
    candidate, warehouse = read(file), registry.warehouse()
    [model] = fetch(file.parent, {MODEL: candidate.sha256}).values()
    raw, table = Table.read(spec, training, folds)
    champion = registry.champion()
    pinned = registry.pinned()
    opponents = _opponents(spec, registry, [champion, pinned], table, folds)
    try:
        judgement = _measure(spec, model, table, folds, warehouse)
    except SandboxError as error:
        rules, added = [Rule(name="sandbox", passed=False, details=str(error))], {}
    else:
        rules = judge(spec, judgement, opponents, needs_gain=needs_gain)
        added = _mlflow_model(spec, model, table)
        evaluation = _evaluation(spec, candidate, raw, table, judgement, folds, warehouse, added)
        reference = reference_bytes(raw, judgement.scores.probabilities)
        added |= card.files(spec, evaluation, judgement.scores, Reference(reference, spec), rules)
        added |= {REFERENCE: reference, EVALUATION: evaluation.model_dump_json(indent=1).encode()}
    for rule in rules:
        log.log(logging.INFO if rule.passed else logging.ERROR, "%s", rule)
    verdict = Verdict(
        candidate=candidate.name,
        files={path: artifact.digest(content) for path, content in added.items()},
        data=content_digest(raw),
        code=code_digest(spec),
        champion=champion.number if champion else None,
        pinned=pinned.number if pinned else None,
        rules=rules,
        summary=card.summary(spec, evaluation, champion.number if champion else None) if added else str(rules[0]),
    )
    for path, content in added.items():
        write(file.parent / path, content)
    verdicts.record(warehouse, registry.name, verdict)
    return verdict


def deploy(
    spec: ModelSpec, file: File, registry: Registry, server: ModelServer, patience: float, keep: int, *, by: str = ""
) -> int:
    """Publish an accepted candidate, make it champion, verify the server's predictions; return its version.

    If the verification fails, the former champion is restored.

    Args:
        spec: spec of the model.
        file: description of an accepted candidate.
        registry: registry to publish to.
        server: server of the champion.
        patience: seconds within which the server must serve the new version.
        keep: number of versions to keep in the registry.
        by: who deploys it; recorded with the reason.

    Raises:
        ArtifactError: if the candidate's files were changed since the evaluation.
        RefusedError: if the candidate wasn't accepted, or by other code, or in comparison with another champion.
        ServingError: if the verification fails; the former champion serves.
    """
    candidate = read(file)
    verdict = verdicts.require(registry.warehouse(), registry.name, candidate.name)
    files = fetch(file.parent, verdict.files)
    deployment.require_deployable(spec, verdict, files, registry)
    server.health()
    version = deployment.publish(spec, verdict, files, registry)
    return deployment.serve(spec, version, verdict, files, registry, server, patience, keep, by)


def _score_estimators(
    spec: ModelSpec, names: Iterable[str], table: Table, folds: Folds, warehouse: str
) -> dict[str, Scores | SandboxError]:
    recipes = {}
    for name in dict.fromkeys(names):
        model = spec.estimators[name]()
        recipes[name] = Recipe(skops_io.dumps(model), recipe_digest(model))
    scores = scored(warehouse, recipes, spec.trusted_types, table.rows, table.labels, table.groups, folds)
    for name, score in scores.items():
        if isinstance(score, Scores):
            log.info("%s: accuracy %.4f over %d folds", name, score.accuracies.mean(), len(score.accuracies))
        else:
            log.warning("%s", score)
    return scores


def _usable(scores: Scores | SandboxError) -> Scores:
    if isinstance(scores, SandboxError):
        raise scores
    return scores


def _measure(spec: ModelSpec, model: bytes, table: Table, folds: Folds, warehouse: str) -> Judgement:
    """Find out everything about a candidate's model file.

    Raises:
        SandboxError: if it can't be loaded, fitted or queried within the limits.
    """
    content: Content = {"model": model, "trusted": list(spec.trusted_types), "rows": table.rows}
    asked = corners(spec, table.rows)
    examined = run(examine, content | {"labels": table.labels, "corners": asked})
    queried = pd.concat([table.rows, asked], ignore_index=True)
    elsewhere = run(predict, content | {"rows": queried})["probabilities"]
    once = Folds(folds.splits, 1, folds.seed)
    permuted = cross_validate(
        {"on permuted labels": model}, spec.trusted_types, table.rows, permute(table.labels), table.groups, once
    )
    return Judgement(
        rows=table.rows,
        labels=table.labels,
        groups=table.groups,
        folds=folds,
        scores=_recipe_scores(spec, "the candidate", model, examined, table, folds, warehouse),
        permuted=_usable(permuted["on permuted labels"]),
        corners=asked,
        examined=examined,
        elsewhere=elsewhere,
        cost=Cost.of(examined, model),
    )


def _recipe_scores(
    spec: ModelSpec, name: str, model: bytes, measured: Content, table: Table, folds: Folds, warehouse: str
) -> Scores:
    recipes = {name: Recipe(model, str(measured["recipe"]))}
    return _usable(scored(warehouse, recipes, spec.trusted_types, table.rows, table.labels, table.groups, folds)[name])


def _opponents(
    spec: ModelSpec, registry: Registry, versions: Iterable[Version | None], table: Table, folds: Folds
) -> list[Opponent]:
    """Return these versions on the candidate's list and folds, each once; retired ones are left out."""
    opponents = []
    for version in {version.number: version for version in versions if version}.values():
        if version.retired:
            log.warning("version %d is retired, and not compared with: %s", version.number, version.retired)
        else:
            opponents.append(_opponent(spec, registry, version, table, folds))
    return opponents


def _opponent(spec: ModelSpec, registry: Registry, version: Version, table: Table, folds: Folds) -> Opponent:
    try:
        model, reference = registry.file(version, MODEL), Reference(registry.file(version, REFERENCE), spec)
        content: Content = {"model": model, "trusted": list(spec.trusted_types), "rows": table.rows}
        measured = run(measure, content)
        scores = _recipe_scores(spec, f"version {version.number}", model, measured, table, folds, registry.warehouse())
        _require_answers(scores, f"version {version.number}")
    except (ArtifactError, SandboxError) as error:
        raise ArtifactError(
            f"{error}. So no candidate can be compared with version {version.number}. If it can't be repaired, set the"
            f" version's tag {TAG_RETIRED!r} in MLflow to the reason, and clear this task"
        ) from error
    return Opponent(f"version {version.number}", scores, Cost.of(measured, model), reference.rows, reference.labels)


def _require_answers(scores: Scores, name: str) -> None:
    if not np.isfinite(scores.probabilities).all():
        raise ArtifactError(f"{name} has no answer to some rows of the list")


def _mlflow_model(spec: ModelSpec, model: bytes, table: Table) -> dict[str, bytes]:
    """Return the files of the MLflow model around a judged file, by their paths in the version."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        example, made = table.rows.head(5), standalone.signature(spec)
        standalone.write_folder(model, folder / MODEL_FOLDER, example, spec.trusted_types, spec, made)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _evaluation(
    spec: ModelSpec,
    candidate: Candidate,
    raw: pd.DataFrame,
    table: Table,
    judgement: Judgement,
    folds: Folds,
    warehouse: str,
    files: Mapping[str, bytes],
) -> Evaluation:
    names = [name for name in (*spec.baselines, *candidate.tried) if name in spec.estimators]
    scores = {
        name: score
        for name, score in _score_estimators(spec, names, table, folds, warehouse).items()
        if isinstance(score, Scores)
    }
    scores[candidate.chosen] = judgement.scores
    chosen = table.rows.groupby(spec.segment(table.rows)).head(REQUESTS_PER_SEGMENT)
    probabilities = judgement.examined["together"][chosen.index]
    return Evaluation(
        name=candidate.name,
        chosen=candidate.chosen,
        data_digest=content_digest(raw),
        rows=len(raw),
        groups=len(set(table.groups)),
        splits=folds.splits,
        repeats=folds.repeats,
        seed=folds.seed,
        hyperparameters=judgement.examined["hyperparameters"],
        day=datetime.now(UTC).date(),
        results=_results(spec, scores, folds),
        files={path: artifact.digest(content) for path, content in files.items()},
        requests=[
            Request(row=row, probability=float(probability))
            for row, probability in zip(to_records(chosen), probabilities, strict=True)
        ],
    )


def _results(spec: ModelSpec, scores: Mapping[str, Scores], folds: Folds) -> dict[str, Result]:
    results, reference = {}, scores.get(spec.reference)
    for name, score in scores.items():
        result = Result(metrics=metrics(score).to_dict(), difference=None, p_value=None)
        if reference:
            comparison = compare(score.accuracies, reference.accuracies, folds.test_share)
            result.difference, result.p_value = comparison.difference, comparison.p_value
        results[name] = result
    return results
