"""Generates the model card: the model, its evaluation and its results.

Headings follow M. Mitchell et al., Model cards for model reporting, FAT* 2019.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from include.core.ml import plots, standalone
from include.core.ml.candidate import REFERENCE
from include.core.ml.evaluation import by_segment, calibration_curve
from include.core.ml.gates.quality import calibration_interval
from include.core.ml.registry import Record, TrainingRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.ml.candidate import Evaluation, Reference, Result
    from include.core.ml.evaluation import Scores
    from include.core.ml.gates.rule import Rule
    from include.core.ml.spec import ModelSpec

CARD, MODELS, SEGMENTS, CALIBRATION = "model_card.md", "models.png", "segments.png", "calibration.png"
FILES = (CARD, MODELS, SEGMENTS, CALIBRATION)
IN_A_CELL = str.maketrans({"`": "'", "|": "/"})
SHOWN = ("accuracy", "precision", "recall", "f1", "auc", "brier", "log_loss", "calibration_error")


def summary(spec: ModelSpec, evaluation: Evaluation, champion: int | None) -> str:
    """Return a summary with the results table for the approver, in Markdown."""
    against = f"champion is version {champion}" if champion else "there is no champion yet"
    return (
        f"**{evaluation.name}**: {evaluation.chosen}, {evaluation.rows} {spec.rows_name}, {evaluation.repeats} x"
        f" {evaluation.splits}-fold cross-validation; {against}.\n\n{_table(spec, evaluation)}"
    )


def files(
    spec: ModelSpec, evaluation: Evaluation, scores: Scores, reference: Reference, rules: Sequence[Rule]
) -> dict[str, bytes]:
    """Return the card and its plots by file name."""
    segments = by_segment(scores.predictions, reference.labels, reference.segments)
    return {
        CARD: _card(spec, evaluation, scores, reference, rules).encode(),
        MODELS: plots.intervals(
            {
                name: (result.metrics["accuracy"], result.metrics["accuracy_sd"])
                for name, result in evaluation.results.items()
            },
            spec.thresholds().accuracy,
            f"Accuracy on the same {len(scores.accuracies)} folds, with standard deviation",
            "accuracy",
        ),
        SEGMENTS: plots.pairs(
            {f"{segment.name}\n{segment.rows} rows": (segment.predicted, segment.observed) for segment in segments},
            (spec.outcome, spec.positive),
            f"{evaluation.chosen}: share that {spec.positive}, by {spec.segments_text}, on unseen rows",
            "share",
        ),
        CALIBRATION: plots.calibration(calibration_curve(scores), f"{evaluation.chosen}: calibration on unseen rows"),
    }


def record(spec: ModelSpec, evaluation: Evaluation, code: str = "") -> Record:
    """Return what the MLflow run says of a model; ``code`` is the checksum of the code that judged it."""
    return Record(
        params={
            **evaluation.hyperparameters,
            "model": evaluation.chosen,
            "rows": evaluation.rows,
            "groups": evaluation.groups,
            "splits": evaluation.splits,
            "repeats": evaluation.repeats,
            "seed": evaluation.seed,
        },
        metrics={
            **evaluation.results[evaluation.chosen].metrics,
            **{f"accuracy_{name}": result.metrics["accuracy"] for name, result in evaluation.results.items()},
        },
        tags={
            "data_digest": evaluation.data_digest,
            "code_digest": code,
            "mlflow.note.content": summary(spec, evaluation, None),
        },
        rows=TrainingRows(evaluation.data_digest, evaluation.rows, REFERENCE),
    )


def _difference(result: Result) -> str:
    if result.difference is None or result.p_value is None:
        return "-"
    return f"{result.difference:+.4f} (p {result.p_value:.3f})"


def _table(spec: ModelSpec, evaluation: Evaluation) -> str:
    lines = [f"| model | {' | '.join(SHOWN)} | against {spec.reference} |", "| --- " * (len(SHOWN) + 2) + "|"]
    for name, result in evaluation.results.items():
        numbers = [
            f"{result.metrics['accuracy']:.4f} ± {result.metrics['accuracy_sd']:.4f}",
            *(f"{result.metrics[metric]:.3f}" for metric in SHOWN[1:]),
            _difference(result),
        ]
        label = f"**{name}**" if name == evaluation.chosen else name
        lines.append(f"| {label} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def _card(spec: ModelSpec, evaluation: Evaluation, scores: Scores, reference: Reference, rules: Sequence[Rule]) -> str:
    segments = by_segment(scores.predictions, reference.labels, reference.segments)
    rows = "\n".join(
        f"| {segment.name} | {segment.rows} | {segment.accuracy:.3f} | {segment.predicted:.0%}"
        f" | {segment.observed:.0%} |"
        for segment in segments
    )
    verdicts = "\n".join(f"- {'passed' if rule.passed else '**refused**'}: {rule}" for rule in rules)
    error, low, high = calibration_interval(scores)
    parameters = "\n".join(
        f"| {name} | `{value.translate(IN_A_CELL)}` |" for name, value in evaluation.hyperparameters.items()
    )
    return f"""# Model card: {spec.name}, {evaluation.chosen}

## Model
{evaluation.name}, evaluated on {evaluation.day}. Owner: {spec.card.owner}.

{spec.card.model} File in skops format, SHA-256
`{evaluation.sha256}`.

A row counts as {spec.positive} from a probability above 0.5. {spec.card.threshold_reason}

Made with Python {platform.python_version()}, {", ".join(f"{name} {version(name)}" for name in standalone.LIBRARIES)}.

## Intended use
{spec.card.intended_use}

## Data
{evaluation.rows} {spec.rows_name}, {int(reference.labels.sum())} of whom {spec.positive}; SHA-256 of the rows
`{evaluation.data_digest}`.
{spec.card.data}

## Evaluation
{evaluation.repeats} x {evaluation.splits}-fold stratified cross-validation with seed {evaluation.seed}, the
same folds for every model. ± is the standard deviation over the folds; p is that of the corrected resampled t-test
(Nadeau and Bengio 2003), not corrected for the number of models tried.

{_table(spec, evaluation)}

![accuracy by model]({MODELS})

## Segments
| segment | rows | accuracy | {spec.outcome} | {spec.positive} |
| --- | --- | --- | --- | --- |
{rows}

![predicted and observed by segment]({SEGMENTS})

## Calibration
Expected calibration error {error:.3f} (95 % interval {low:.3f} to {high:.3f}, bootstrap over the rows).

![calibration]({CALIBRATION})

## Gates
{verdicts}

## Hyperparameters
| parameter | value |
| --- | --- |
{parameters}

## Monitoring
`{REFERENCE}` in the version's MLflow run, the training rows with the predictions on unseen rows, is what the drift
checks compare with.

## Limits
{spec.card.limits}
"""
