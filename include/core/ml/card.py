"""Generates the model card: the model, its evaluation and its results.

Headings follow M. Mitchell et al., Model cards for model reporting, FAT* 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.ml import plots
from include.core.ml.evaluation import by_segment, calibration_curve
from include.core.ml.registry import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.ml.candidate import Candidate, Reference
    from include.core.ml.evaluation import Scores
    from include.core.ml.gates import Rule
    from include.core.ml.spec import ModelSpec

CARD, MODELS, SEGMENTS, CALIBRATION = "model_card.md", "models.png", "segments.png", "calibration.png"
FILES = (CARD, MODELS, SEGMENTS, CALIBRATION)
SHOWN = ("accuracy", "precision", "recall", "f1", "auc", "brier", "calibration_error")


def summary(spec: ModelSpec, candidate: Candidate, champion: int | None) -> str:
    """Return a summary with the results table for the approver, in Markdown."""
    against = f"champion is version {champion}" if champion else "there is no champion yet"
    return (
        f"**{candidate.name}**: {candidate.chosen}, {candidate.rows} {spec.rows_name}, {candidate.repeats} x"
        f" {candidate.splits}-fold cross-validation; {against}.\n\n{_table(spec, candidate)}"
    )


def files(
    spec: ModelSpec, candidate: Candidate, scores: Scores, reference: Reference, rules: Sequence[Rule]
) -> dict[str, bytes]:
    """Return the card and its plots by file name."""
    segments = by_segment(scores.predictions, reference.labels, reference.segments)
    return {
        CARD: _card(spec, candidate, scores, reference, rules).encode(),
        MODELS: plots.intervals(
            {
                name: (result.metrics["accuracy"], result.metrics["accuracy_sd"])
                for name, result in candidate.results.items()
            },
            spec.thresholds().accuracy,
            f"Accuracy on the same {len(scores.accuracies)} folds, with standard deviation",
            "accuracy",
        ),
        SEGMENTS: plots.pairs(
            {f"{segment.name}\n{segment.rows} rows": (segment.predicted, segment.observed) for segment in segments},
            (spec.outcome, spec.positive),
            f"{candidate.chosen}: share that {spec.positive}, by {spec.segments_text}, on unseen rows",
            "share",
        ),
        CALIBRATION: plots.calibration(
            calibration_curve(scores, reference.labels), f"{candidate.chosen}: calibration on unseen rows"
        ),
    }


def record(spec: ModelSpec, candidate: Candidate) -> Record:
    """Return the parameters, metrics and tags of the MLflow run."""
    return Record(
        params={
            "model": candidate.chosen,
            "rows": candidate.rows,
            "splits": candidate.splits,
            "repeats": candidate.repeats,
            "seed": candidate.seed,
        },
        metrics={
            **candidate.results[candidate.chosen].metrics,
            **{f"accuracy_{name}": result.metrics["accuracy"] for name, result in candidate.results.items()},
        },
        tags={"data_digest": candidate.data_digest, "mlflow.note.content": summary(spec, candidate, None)},
    )


def _table(spec: ModelSpec, candidate: Candidate) -> str:
    lines = [f"| model | {' | '.join(SHOWN)} | against {spec.reference} |", "| --- " * (len(SHOWN) + 2) + "|"]
    for name, result in candidate.results.items():
        numbers = [
            f"{result.metrics['accuracy']:.4f} ± {result.metrics['accuracy_sd']:.4f}",
            *(f"{result.metrics[metric]:.3f}" for metric in SHOWN[1:]),
            f"{result.difference:+.4f} (p {result.p_value:.3f})",
        ]
        label = f"**{name}**" if name == candidate.chosen else name
        lines.append(f"| {label} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def _card(spec: ModelSpec, candidate: Candidate, scores: Scores, reference: Reference, rules: Sequence[Rule]) -> str:
    segments = by_segment(scores.predictions, reference.labels, reference.segments)
    rows = "\n".join(
        f"| {segment.name} | {segment.rows} | {segment.accuracy:.3f} | {segment.predicted:.0%}"
        f" | {segment.observed:.0%} |"
        for segment in segments
    )
    verdicts = "\n".join(
        f"- {'passed' if rule.passed else '**refused**'}: {rule.name}: {rule.details}" for rule in rules
    )
    return f"""# Model card: {spec.name}, {candidate.chosen}

## Model
{candidate.name}

{spec.card.model} File in skops format, SHA-256
`{candidate.sha256}`.

## Intended use
{spec.card.intended_use}

## Data
{candidate.rows} {spec.rows_name}, {int(reference.labels.sum())} of whom {spec.positive}; SHA-256 of the rows
`{candidate.data_digest}`.
{spec.card.data}

## Evaluation
{candidate.repeats} x {candidate.splits}-fold stratified cross-validation with seed {candidate.seed}, the
same folds for every model. ± is the standard deviation over the folds; p is that of the corrected resampled t-test
(Nadeau and Bengio 2003), not corrected for the number of models tried.

{_table(spec, candidate)}

![accuracy by model]({MODELS})

## Segments
| segment | rows | accuracy | {spec.outcome} | {spec.positive} |
| --- | --- | --- | --- | --- |
{rows}

![predicted and observed by segment]({SEGMENTS})

## Calibration
![calibration]({CALIBRATION})

## Gates
{verdicts}

## Limits
{spec.card.limits}
"""
