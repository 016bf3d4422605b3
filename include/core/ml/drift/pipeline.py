"""The steps of ``model_monitoring``, callable without Airflow; they exchange references to files."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel
from scipy import stats

from include.core.ml import plots
from include.core.ml.candidate import REFERENCE, Reference
from include.core.ml.drift.checks import WHOLE, Finding, Limits, check
from include.core.ml.drift.datasets import MODEL_DAILY, MODEL_DRIFT
from include.core.ml.drift.history import Day, served, usual_volume
from include.core.ml.errors import DriftError
from include.core.ml.evaluation import by_segment
from include.core.ml.serving.client import TOLERANCE
from include.core.storage import file_name, write
from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.ml.registry import Registry, Version
    from include.core.ml.spec import ModelSpec
    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt

ACCURACY_DROP, ACCURACY_CHANCE = 0.1, 0.001
MINIMUM_VOLUME_SHARE = 0.5
SHOWN = 5

log = logging.getLogger(__name__)


class Report(BaseModel):
    """Result of a day's checks: rows of ``model_drift`` and ``model_daily``, and the alarms as text.

    ``replayed`` is the number of predictions from sample traffic, ``read_at`` when the predictions were read.
    """

    date: dt.date
    read_at: dt.datetime | None = None
    replayed: int
    drift: list[dict[str, Any]]
    daily: list[dict[str, Any]]
    alarms: list[str]


def compare(
    spec: ModelSpec, registry: Registry, uri: str, root: File, date: dt.date, run_id: str, limits: Limits
) -> str:
    """Compare a day's predictions with the training of each serving version; return the report's URL.

    A plot of each version is stored beside the report.
    """
    folder = root / "monitoring" / f"day={date.isoformat()}" / file_name(run_id)
    read_at = dt.datetime.now(dt.UTC)
    days = served(spec, uri, registry.name, date)
    replayed = sum(day.replayed for day in days)
    report = Report(date=date, read_at=read_at, replayed=replayed, drift=[], daily=[], alarms=[])
    for day in days:
        common = {"day": date, "model": registry.name, "version": day.version}
        version = registry.version(day.version)
        reference = Reference(registry.file(version, REFERENCE), spec)
        report.alarms += _replay(spec, day, registry, version)
        findings = check(spec, reference.rows, reference.probabilities[0], day.rows, day.probabilities, limits)
        report.drift += [common | asdict(finding) for finding in findings]
        alarms = (finding for finding in findings if finding.alarm)
        worst = sorted(alarms, key=lambda finding: (finding.segment == WHOLE, -finding.psi))
        report.alarms += [f"version {day.version}: {finding}" for finding in worst]
        accuracies = list(_accuracies(spec, day, reference, limits.rows))
        report.daily += [common | row for row in accuracies]
        report.alarms += [
            f"version {day.version}: segment {row['segment']}, accuracy {row['accuracy']:.3f} on {row['outcomes']}"
            f" known outcomes, {row['expected']:.3f} in cross-validation"
            for row in accuracies
            if row["alarm"]
        ]
        write(folder / f"version-{day.version}.png", _plot(spec, findings, registry.name, day.version, date))
    report.alarms += _volume(sum(len(day.probabilities) for day in days), usual_volume(uri, registry.name, date))
    log.info(
        "%s: %d version(s), %d prediction(s), %d of them replayed, %d check(s), %d alarm(s)",
        date,
        len(days),
        sum(len(day.probabilities) for day in days),
        report.replayed,
        len(report.drift),
        len(report.alarms),
    )
    return write(folder / "report.json", report.model_dump_json(indent=1).encode())


def load_report(report: File, uri: str, attempt: Attempt) -> None:
    """Load the report's rows into ``model_drift`` and ``model_daily``, replacing the day."""
    content = Report.model_validate_json(report.read_bytes())
    with connect(uri, attempt) as session:
        for dataset, rows in ((MODEL_DRIFT, content.drift), (MODEL_DAILY, content.daily)):
            load(
                session,
                dataset,
                partition=content.date,
                rows=[row | {"day": content.date} for row in rows],
                attempt=attempt,
                requested_at=content.read_at,
            )


def alert(report: File) -> None:
    """Raise the alarms of the report, the worst first.

    Raises:
        DriftError: naming segment, feature and numbers.
    """
    content = Report.model_validate_json(report.read_bytes())
    for alarm in content.alarms:
        log.error(alarm)
    if content.alarms:
        more = f" (and {len(content.alarms) - SHOWN} more: table model_drift)" if len(content.alarms) > SHOWN else ""
        sample = f" ({content.replayed} replayed predictions)" if content.replayed else ""
        raise DriftError(f"{content.date}{sample}: {'; '.join(content.alarms[:SHOWN])}{more}")


def _replay(spec: ModelSpec, day: Day, registry: Registry, version: Version) -> Iterator[str]:
    """Recompute the predictions with the registered model; differing ones weren't served by it."""
    name = f"version {version.number}"
    model = registry.load(version, spec.trusted_types).model
    differs = np.abs(model.predict_proba(day.rows)[:, 1] - day.probabilities) > TOLERANCE
    for segment, rows in spec.segment(day.rows)[differs].value_counts().items():
        yield f"{name}: segment {segment}, {rows} served prediction(s) differ from the registered model's"


def _accuracies(spec: ModelSpec, day: Day, reference: Reference, minimum_rows: int) -> Iterator[dict[str, Any]]:
    """Yield a row of ``model_daily`` for each segment; accuracy is tested by a binomial test."""
    names = spec.segment(day.rows)
    expected = {
        segment.name: segment.accuracy
        for segment in by_segment(
            (reference.probabilities > 0.5).astype(np.int64), reference.labels, reference.segments
        )
    }
    expected[WHOLE] = float(((reference.probabilities > 0.5) == reference.labels).mean())
    for name in (WHOLE, *sorted(set(names) & set(expected))):
        chosen = np.ones(len(names), dtype=bool) if name == WHOLE else names.eq(name).to_numpy()
        known = chosen & day.outcomes.notna().to_numpy()
        right = int(((day.probabilities[known] > 0.5) == day.outcomes[known].to_numpy()).sum())
        outcomes = int(known.sum())
        accuracy = right / outcomes if outcomes else None
        chance = stats.binomtest(right, outcomes, expected[name], alternative="less").pvalue if outcomes else 1.0
        yield {
            "segment": name,
            "predictions": int(chosen.sum()),
            "outcomes": outcomes,
            "accuracy": accuracy,
            "expected": expected[name],
            "alarm": bool(
                accuracy is not None
                and outcomes >= minimum_rows
                and accuracy < expected[name] - ACCURACY_DROP
                and chance < ACCURACY_CHANCE
            ),
        }


def _volume(count: int, usual: float | None) -> list[str]:
    if usual is None or count >= MINIMUM_VOLUME_SHARE * usual:
        return []
    return [f"volume: {count} live predictions, the median of the previous two weeks is {usual:.0f}"]


def _plot(spec: ModelSpec, findings: list[Finding], model: str, version: int, date: dt.date) -> bytes:
    """Draw the share of rows predicted as 1 by segment, for the training and the day."""
    shares = {
        f"{finding.segment}\n{finding.rows} rows": (finding.reference or 0.0, finding.observed or 0.0)
        for finding in findings
        if finding.feature == spec.outcome
    }
    title = f"{model} version {version} on {date}: share {spec.outcome}"
    return plots.pairs(shares, ("training, unseen rows", "served"), title, "share")
