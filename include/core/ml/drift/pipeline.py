"""The steps of ``model_monitoring``, callable without Airflow; each takes and gives references to files."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel
from scipy import stats

from include.core.ml import artifact, plots
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
from include.core.warehouse.schema import create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.ml.registry import Registry, Version
    from include.core.ml.spec import ModelSpec
    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt

ACCURACY_DROP, ACCURACY_CHANCE = 0.1, 0.001
LEAST_SHARE_OF_VOLUME = 0.5
SHOWN = 5

log = logging.getLogger(__name__)


class Report(BaseModel):
    """What the checks of one day found: rows of ``model_drift`` and ``model_daily``, and the alarms in words.

    ``replayed`` is how many of the predictions are sample traffic.
    """

    date: dt.date
    replayed: int
    drift: list[dict[str, Any]]
    daily: list[dict[str, Any]]
    alarms: list[str]


def compare(
    spec: ModelSpec, registry: Registry, uri: str, root: File, date: dt.date, run_id: str, limits: Limits
) -> str:
    """Hold a day's predictions against each serving version's training; return the report's URL.

    Plots are kept beside the report, one a version.
    """
    folder = root / "monitoring" / f"date={date.isoformat()}" / file_name(run_id)
    days = served(spec, uri, registry.name, date)
    report = Report(date=date, replayed=sum(day.replayed for day in days), drift=[], daily=[], alarms=[])
    for day in days:
        common = {"date": date, "model": registry.name, "version": day.version}
        version = registry.version(day.version)
        reference = Reference(registry.file(version, REFERENCE), spec)
        report.alarms += _replay(spec, day, registry, version)
        findings = check(spec, reference.rows, reference.probabilities[0], day.rows, day.probabilities, limits)
        report.drift += [common | asdict(finding) for finding in findings]
        worst = sorted((one for one in findings if one.alarm), key=lambda one: (one.segment == WHOLE, -one.psi))
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


def keep(report: File, uri: str, attempt: Attempt) -> None:
    """Load the report's rows into ``model_drift`` and ``model_daily``; a day that is repeated is replaced."""
    found = Report.model_validate_json(report.read_bytes())
    with connect(uri, attempt) as session:
        for dataset, rows in ((MODEL_DRIFT, found.drift), (MODEL_DAILY, found.daily)):
            create_table(session, dataset)
            load(
                session,
                dataset,
                partition=found.date,
                rows=[row | {"date": found.date} for row in rows],
                attempt=attempt,
            )


def alert(report: File) -> None:
    """Raise what the report found to be alarming, the worst first.

    Raises:
        DriftError: naming segment, feature and numbers.
    """
    found = Report.model_validate_json(report.read_bytes())
    for alarm in found.alarms:
        log.error(alarm)
    if found.alarms:
        more = f" (and {len(found.alarms) - SHOWN} more: table model_drift)" if len(found.alarms) > SHOWN else ""
        sample = f" ({found.replayed} replayed predictions)" if found.replayed else ""
        raise DriftError(f"{found.date}{sample}: {'; '.join(found.alarms[:SHOWN])}{more}")


def _replay(spec: ModelSpec, day: Day, registry: Registry, version: Version) -> Iterator[str]:
    """Have the registered model answer again: whatever else was served came from somewhere else."""
    name = f"version {version.number}"
    model = artifact.load(registry.model_file(version), version.sha256, spec.trusted_types, f"{registry.name} {name}")
    differs = np.abs(model.predict_proba(day.rows)[:, 1] - day.probabilities) > TOLERANCE
    for one, rows in spec.segment(day.rows)[differs].value_counts().items():
        yield f"{name}: segment {one}, {rows} served prediction(s) that the registered model doesn't give"


def _accuracies(spec: ModelSpec, day: Day, reference: Reference, least_rows: int) -> Iterator[dict[str, Any]]:
    """Yield a row of ``model_daily`` for each segment; accuracy is judged by a binomial test."""
    names = spec.segment(day.rows)
    expected = {
        one.name: one.accuracy
        for one in by_segment((reference.probabilities > 0.5).astype(np.int64), reference.labels, reference.segments)
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
                and outcomes >= least_rows
                and accuracy < expected[name] - ACCURACY_DROP
                and chance < ACCURACY_CHANCE
            ),
        }


def _volume(count: int, usual: float | None) -> list[str]:
    if usual is None or count >= LEAST_SHARE_OF_VOLUME * usual:
        return []
    return [f"volume: {count} live predictions, {usual:.0f} on the median day of the fortnight before"]


def _plot(spec: ModelSpec, findings: list[Finding], model: str, version: int, date: dt.date) -> bytes:
    """Draw the share of rows predicted as 1 by segment, training against the day."""
    shares = {
        f"{one.segment}\n{one.rows} rows": (one.reference or 0.0, one.observed or 0.0)
        for one in findings
        if one.feature == spec.outcome
    }
    title = f"{model} version {version} on {date}: share {spec.outcome}"
    return plots.pairs(shares, ("training, unseen rows", "served"), title, "share")
