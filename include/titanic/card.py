"""The model card: what the model is, how it was judged and how it did, made from the numbers, never by hand.

Headings after M. Mitchell et al., Model cards for model reporting, FAT* 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.ml import plots
from include.ml.evaluation import by_segment, calibration_curve
from include.ml.registry import Record
from include.titanic.features import segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.ml.evaluation import Scores
    from include.titanic.candidate import Candidate, Reference
    from include.titanic.gates import Rule

CARD, MODELS, SEGMENTS, CALIBRATION = "model_card.md", "models.png", "segments.png", "calibration.png"
FILES = (CARD, MODELS, SEGMENTS, CALIBRATION)
SHOWN = ("accuracy", "precision", "recall", "f1", "auc", "brier", "calibration_error")


def summary(candidate: Candidate, champion: int | None) -> str:
    """Return the table that an approver reads, in Markdown."""
    against = f"champion is version {champion}" if champion else "there is no champion yet"
    return (
        f"**{candidate.name}**: {candidate.chosen}, {candidate.rows} passengers, {candidate.repeats} x"
        f" {candidate.splits}-fold cross-validation; {against}.\n\n{_table(candidate)}"
    )


def files(
    candidate: Candidate, scores: Scores, reference: Reference, rules: Sequence[Rule], asked: float
) -> dict[str, bytes]:
    """Return the card and its plots by file name; ``asked`` is the accuracy that a candidate must exceed."""
    segments = by_segment(scores.predictions, reference.labels, segment(reference.passengers))
    return {
        CARD: _card(candidate, scores, reference, rules).encode(),
        MODELS: plots.intervals(
            {
                name: (result.metrics["accuracy"], result.metrics["accuracy_sd"])
                for name, result in candidate.results.items()
            },
            asked,
            f"Accuracy on the same {len(scores.accuracies)} folds, with standard deviation",
            "accuracy",
        ),
        SEGMENTS: plots.pairs(
            {f"{one.name}\n{one.rows} rows": (one.predicted, one.observed) for one in segments},
            ("predicted to survive", "survived"),
            f"{candidate.chosen}: share of survivors by sex and class, on unseen rows",
            "share",
        ),
        CALIBRATION: plots.calibration(
            calibration_curve(scores, reference.labels), f"{candidate.chosen}: calibration on unseen rows"
        ),
    }


def record(candidate: Candidate) -> Record:
    """Return what the MLflow run shows."""
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
        tags={"data_digest": candidate.data_digest, "mlflow.note.content": summary(candidate, None)},
    )


def _table(candidate: Candidate) -> str:
    lines = [f"| model | {' | '.join(SHOWN)} | against the article's recipe |", "| --- " * (len(SHOWN) + 2) + "|"]
    for name, result in candidate.results.items():
        numbers = [
            f"{result.metrics['accuracy']:.4f} ± {result.metrics['accuracy_sd']:.4f}",
            *(f"{result.metrics[metric]:.3f}" for metric in SHOWN[1:]),
            f"{result.difference:+.4f} (p {result.p_value:.3f})",
        ]
        shown = f"**{name}**" if name == candidate.chosen else name
        lines.append(f"| {shown} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def _card(candidate: Candidate, scores: Scores, reference: Reference, rules: Sequence[Rule]) -> str:
    segments = by_segment(scores.predictions, reference.labels, segment(reference.passengers))
    rows = "\n".join(
        f"| {one.name} | {one.rows} | {one.accuracy:.3f} | {one.predicted:.0%} | {one.observed:.0%} |"
        for one in segments
    )
    verdicts = "\n".join(f"- {'passed' if rule.passed else '**refused**'}: {rule.name}: {rule.found}" for rule in rules)
    return f"""# Model card: titanic, {candidate.chosen}

## Model
{candidate.name}

One scikit-learn pipeline from the raw passenger to the probability of survival. File in skops format, SHA-256
`{candidate.sha256}`.

## Intended use
To show how a model is trained, judged, deployed and watched. It describes who survived one ship in 1912; it is no
judgement about anybody else.

## Data
{candidate.rows} passengers, {int(reference.labels.sum())} of whom survived; SHA-256 of the rows
`{candidate.data_digest}`.
Whatever is learned from data (medians, rare categories, scales) is learned within the training folds. Relatives' labels
aren't used.

## How it was judged
{candidate.repeats} x {candidate.splits}-fold stratified cross-validation with seed {candidate.seed}, the
same folds for every model. ± is the standard deviation over the folds; p is that of the corrected resampled t-test
(Nadeau and Bengio 2003), not corrected for the number of models tried.

{_table(candidate)}

![accuracy by model]({MODELS})

## Segments
| segment | rows | accuracy | predicted to survive | survived |
| --- | --- | --- | --- | --- |
{rows}

![survivors by segment]({SEGMENTS})

## Calibration
![calibration]({CALIBRATION})

## Gates
{verdicts}

## Limits
A gap of a few points between segments is in the data, not in the model alone: third-class women lived or died almost
evenly. On a list of other passengers, expect less: the best public results on unseen passengers are 0.78 to 0.84.
"""
