"""Judges the predictions of a version in a day: answers, drift, accuracy."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from include.core.ml import plots
from include.core.ml.candidate import REFERENCE, Reference
from include.core.ml.drift import answers
from include.core.ml.drift.alarms import Alarm
from include.core.ml.drift.baseline import learnt
from include.core.ml.drift.checks import check
from include.core.ml.drift.estimation import Estimator
from include.core.ml.drift.history import days_until, served
from include.core.ml.drift.summary import PREDICTION, WHOLE, Features
from include.core.ml.errors import ArtifactError
from include.core.ml.registry import missing
from include.core.ml.serving.client import TOLERANCE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from include.core.ml.drift.alarms import Acknowledgement, Kind
    from include.core.ml.drift.baseline import Days
    from include.core.ml.drift.checks import Finding, Limits, Values
    from include.core.ml.drift.history import Day
    from include.core.ml.registry import Registry, Version
    from include.core.ml.spec import ModelSpec

Accuracy = tuple[dict[str, Any], "Kind | None"]
"""A row of ``model_daily``, and the kind of its alarm."""
FEW = 25
"""Predictions of a day below which a note says so."""


@dataclass
class Judgement:
    """The result of a version in a day; ``findings`` and ``daily`` are rows of the tables."""

    findings: list[Finding] = field(default_factory=list)
    daily: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plot: bytes | None = None


class Trained:
    """What a registered version was trained on, and how well it did."""

    def __init__(self, spec: ModelSpec, registry: Registry, version: Version) -> None:
        self.version = version
        reference = Reference(registry.file(version, REFERENCE), spec)
        self.rows, self.segments, self.probabilities = reference.rows, reference.segments, reference.probabilities
        self.features = Features.of(spec, self.rows)
        self.values: Values = (
            self.features.values(self.rows, self.probabilities[0]),
            self.segments.to_numpy(str),
        )
        self.summary = self.features.summarise(*self.values)
        self.estimator = Estimator(self.probabilities, reference.labels, self.segments)
        self.confidence = self.estimator.confidence(self.probabilities[0], self.segments)
        self.right = ((self.probabilities > 0.5) == reference.labels).mean(axis=0)


class Judge:
    """Judges days of a model; what a version was trained on is read once."""

    def __init__(
        self, spec: ModelSpec, registry: Registry, uri: str, limits: Limits, acknowledged: Sequence[Acknowledgement]
    ) -> None:
        self._spec, self._registry, self._uri, self._limits = spec, registry, uri, limits
        self._acknowledged = acknowledged
        self._trained = cache(self._read)

    def day(self, day: Day, date: dt.date) -> Judgement:
        """Judge the answers, the drift and the accuracy of a day."""
        result = Judgement()
        if day.predictions < FEW:
            result.notes.append(
                f"version {day.version} served {day.predictions} prediction(s), fewer than {FEW}: too few to find a"
                " drift in this day alone"
            )
        result.alarms += self._set_aside(day, date)
        trained = self._trained(day.version)
        if isinstance(trained, Exception):
            text = f"{day.predictions} prediction(s) can't be compared with the version's training: {trained}"
            result.alarms.append(_alarm(date, "answers", day.version, WHOLE, "registry", 1.0, text))
            result.daily += [row for row, _ in self._accuracies(day, None)]
            return result
        result.alarms += self._repeated(day, date, trained)
        result.alarms += self._replay(day, date, trained)
        accuracies = list(self._accuracies(day, trained))
        result.daily = [row for row, _ in accuracies]
        if not len(day.rows):
            return result
        new = self._values(trained, day.rows, day.probabilities)
        today = trained.features.summarise(*new)
        days = days_until(
            self._uri, self._registry.name, day.version, date, trained.features, today, self._acknowledged
        )
        result.findings = check(
            trained.features,
            trained.summary,
            days,
            self._reference(trained, day.version, days),
            new,
            self._limits,
            self._spec.watched.season,
        )
        found = sorted(
            (item for item in result.findings if item.alarm), key=lambda item: (item.segment == WHOLE, -item.strength)
        )
        result.alarms += [self._drift(date, day.version, item) for item in found]
        result.alarms += self._accuracy_alarms(date, day.version, accuracies)
        if found:  # drawing takes half as long as all else
            result.plot = self._plot(result.findings, day.version, date)
        return result

    def outcomes(self, day: Day, date: dt.date) -> Judgement:
        """Judge the accuracy of a day anew, with the outcomes that have arrived since."""
        self._set_aside(day, date)
        trained = self._trained(day.version)
        if isinstance(trained, Exception):
            return Judgement(daily=[row for row, _ in self._accuracies(day, None)])
        self._repeated(day, date, trained)
        accuracies = list(self._accuracies(day, trained))
        result = Judgement(daily=[row for row, _ in accuracies])
        result.alarms += self._accuracy_alarms(date, day.version, accuracies, late=True)
        return result

    def _read(self, number: int) -> Trained | Exception:
        """Return what the version was trained on, or why it isn't known."""
        from mlflow.exceptions import MlflowException

        try:
            return Trained(self._spec, self._registry, self._registry.version(number))
        except ArtifactError as error:
            return error
        except MlflowException as error:
            if not missing(error):
                raise
            return LookupError(f"the registry no longer has {self._registry.name} version {number}")

    def _set_aside(self, day: Day, date: dt.date) -> list[Alarm]:
        """Leave out the answers that can't be judged."""
        alarms = []
        if day.invalid:
            text = (
                f"{len(day.invalid)} of {day.predictions} logged rows don't have the model's schema, such as prediction"
                f" {day.invalid[0]}"
            )
            size = len(day.invalid) / day.predictions
            alarms.append(_alarm(date, "answers", day.version, WHOLE, "invalid rows", size, text))
        broken = answers.impossible(day.probabilities)
        segments = self._spec.segment(day.rows)
        for segment, count in segments[broken].value_counts().items():
            rows = int(segments.eq(str(segment)).sum())
            text = f"segment {segment}, {count} of {rows} answers aren't a probability: missing, NaN, or outside 0 to 1"
            alarms.append(_alarm(date, "answers", day.version, str(segment), PREDICTION, count / rows, text))
        day.keep(~broken)
        return alarms

    def _repeated(self, day: Day, date: dt.date, trained: Trained) -> list[Alarm]:
        """Keep one copy of each row that is repeated too often."""
        keep, alarms = np.ones(len(day.rows), dtype=bool), []
        segments = self._spec.segment(day.rows)
        for positions in answers.repeated(trained.rows, day.rows):
            keep[positions[1:]] = False
            segment, size = str(segments.iloc[positions[0]]), len(positions) / len(day.rows)
            text = (
                f"segment {segment}, one row was sent {len(positions)} times (prediction {day.ids[positions[0]]} and"
                f" others), {size:.0%} of the day; it is judged once"
            )
            alarms.append(_alarm(date, "answers", day.version, segment, "repeated rows", size, text))
        day.keep(keep)
        return alarms

    def _replay(self, day: Day, date: dt.date, trained: Trained) -> Iterator[Alarm]:
        """Recompute the predictions with the registered model; differing ones weren't served by it."""
        if not len(day.rows):
            return
        try:
            model = self._registry.load(trained.version, self._spec.trusted_types).model
        except ArtifactError as error:
            text = f"{len(day.rows)} prediction(s) can't be compared with the registered model's: {error}"
            yield _alarm(date, "answers", day.version, WHOLE, "registry", 1.0, text)
            return
        differs = ~(np.abs(model.predict_proba(day.rows)[:, 1] - day.probabilities) <= TOLERANCE)
        for segment, rows in self._spec.segment(day.rows)[differs].value_counts().items():
            text = f"segment {segment}, {rows} served prediction(s) differ from the registered model's"
            share = rows / len(day.rows)
            yield _alarm(date, "answers", day.version, str(segment), "registered model", share, text)

    def _values(self, trained: Trained, rows: pd.DataFrame, probabilities: NDArray[np.float64]) -> Values:
        return trained.features.values(rows, probabilities), self._spec.segment(rows).to_numpy(str)

    def _reference(self, trained: Trained, version: int, days: Days) -> Values:
        """Return the training rows, or those of the days that are learnt from if the spec declares a season."""
        season = self._spec.watched.season
        if season and (chosen := learnt(days.dates, days.healthy, season)[season(days.dates[-1])]):
            parts = []
            for date in (days.dates[index] for index in chosen):
                for day in served(self._spec, self._uri, self._registry.name, date):
                    if day.version == version:
                        self._set_aside(day, date)
                        parts.append(self._values(trained, day.rows, day.probabilities))
            if parts:  # predictions may have been deleted since
                values, segments = zip(*parts, strict=True)
                return np.concatenate(values), np.concatenate(segments)
        return trained.values

    def _drift(self, date: dt.date, version: int, item: Finding) -> Alarm:
        where = f"segment {item.segment}, {item.feature}, mean {item.reference:.3g} became {item.observed:.3g}"
        if item.strength >= 1 and abs(item.shift) >= self._limits.shift:
            text = (
                f"{where} ({item.shift:+.2f} standard deviations since {item.since}, {item.strength:.1f} times the"
                f" limit; {item.rows} rows in the day)"
            )
            return _alarm(date, "drift", version, item.segment, item.feature, item.shift, text)
        text = (
            f"{where}, and its distribution changed by {item.distance:.2f} standard deviations (adjusted p"
            f" {item.p_value:.2g}, {item.rows} rows on {item.since})"
        )
        return _alarm(date, "shape", version, item.segment, item.feature, item.distance or 0.0, text)

    def _accuracies(self, day: Day, trained: Trained | None) -> Iterator[Accuracy]:
        """Yield a row of ``model_daily`` for each segment, and its alarm; a drop is tested by a binomial test."""
        names = self._spec.segment(day.rows)
        known = day.outcomes.notna().to_numpy()
        right = (day.probabilities > 0.5) == day.outcomes.to_numpy()
        confidence = trained.estimator.confidence(day.probabilities, names) if trained else None
        segments = sorted(set(names) & set(trained.segments)) if trained else []
        chance = self._limits.of_a_day(self._limits.accuracy) / 2 / (1 + len(segments))
        for name in (WHOLE, *segments):
            chosen = np.ones(len(names), dtype=bool) if name == WHOLE else names.eq(name).to_numpy()
            outcomes, hits = int((chosen & known).sum()), int(right[chosen & known].sum())
            kind: Kind | None = None
            row: dict[str, Any] = {
                "segment": name,
                "predictions": day.predictions if name == WHOLE else int(chosen.sum()),
                "outcomes": outcomes,
                "accuracy": hits / outcomes if outcomes else None,
                "expected": None,
                "estimated": None,
            }
            if trained and confidence is not None:
                old = np.ones(len(trained.right), dtype=bool) if name == WHOLE else trained.segments.eq(name).to_numpy()
                row["expected"] = expected = float(trained.right[old].mean())
                if chosen.any():
                    row["estimated"] = float(confidence[chosen].mean())
                observed = outcomes >= self._limits.rows and (
                    hits / outcomes < expected - self._limits.accuracy_drop
                    and stats.binomtest(hits, outcomes, expected, alternative="less").pvalue < chance
                )
                if observed:
                    kind = "accuracy"
                elif self._falls(trained.confidence[old], confidence[chosen], chance):
                    kind = "estimate"
            yield row | {"alarm": kind is not None}, kind

    def _falls(self, before: NDArray[np.float64], now: NDArray[np.float64], chance: float) -> bool:
        """Return whether the estimated accuracy falls, by Welch's test."""
        if min(len(before), len(now)) < self._limits.rows:
            return False
        drop = before.mean() - now.mean()
        return bool(
            drop >= self._limits.accuracy_drop
            and stats.ttest_ind(now, before, equal_var=False, alternative="less").pvalue < chance
        )

    def _accuracy_alarms(
        self, date: dt.date, version: int, accuracies: list[Accuracy], *, late: bool = False
    ) -> Iterator[Alarm]:
        for row, kind in accuracies:
            accuracy, expected, estimated = row["accuracy"], row["expected"], row["estimated"]
            name, when = row["segment"], f"on {date}, outcomes arrived late: " if late else ""
            if kind == "accuracy":
                text = (
                    f"{when}segment {name}, accuracy {accuracy:.3f} on {row['outcomes']} known outcomes, {expected:.3f}"
                    " in cross-validation"
                )
                yield _alarm(date, "accuracy", version, name, "accuracy", accuracy - expected, text)
            elif kind == "estimate" and not late:
                text = (
                    f"segment {name}, accuracy estimated at {estimated:.3f} from {row['predictions']} predictions,"
                    f" {expected:.3f} in cross-validation"
                )
                yield _alarm(date, "estimate", version, name, "estimated accuracy", estimated - expected, text)

    def _plot(self, findings: list[Finding], version: int, date: dt.date) -> bytes:
        """Draw the mean prediction by segment, of the baseline and the day."""
        means = {
            f"{finding.segment}\n{finding.rows} rows": (finding.reference, finding.observed)
            for finding in findings
            if finding.feature == PREDICTION
        }
        title = f"{self._registry.name} version {version} on {date}: probability to {self._spec.positive_text}"
        return plots.pairs(means, ("baseline, unseen rows", "served"), title, "mean probability")


def _alarm(date: dt.date, kind: Kind, version: int, segment: str, feature: str, size: float, text: str) -> Alarm:
    return Alarm(day=date, kind=kind, version=version, segment=segment, feature=feature, size=float(size), text=text)
