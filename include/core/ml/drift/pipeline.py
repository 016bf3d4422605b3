"""The steps of ``model_monitoring``, callable without Airflow; they exchange references to files."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from include.core.ml.drift import late
from include.core.ml.drift.alarms import Alarm, acknowledge, acknowledged
from include.core.ml.drift.datasets import MODEL_DAILY, MODEL_DRIFT
from include.core.ml.drift.history import USUAL_DAYS, served, usual_volume
from include.core.ml.drift.judge import Judge, Judgement
from include.core.ml.errors import AcknowledgementError, DriftError
from include.core.settings import MONITORING
from include.core.storage import file_name, write
from include.core.warehouse.connect import connect
from include.core.warehouse.load_each import load_each
from include.core.warehouse.loader import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.ml.drift.checks import Limits
    from include.core.ml.registry import Registry
    from include.core.ml.spec import ModelSpec
    from include.core.ml.specs import Specs
    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt

MINIMUM_VOLUME_SHARE = 0.5
SHOWN = 5

log = logging.getLogger(__name__)


class Report(BaseModel):
    """Result of a day's checks.

    Attributes:
        model: name of the registered model.
        date: the judged day.
        read_at: when the predictions were read.
        replayed: number of predictions from sample traffic.
        drift: rows of ``model_drift``.
        daily: rows of ``model_daily``, by day: those of the day, and of earlier days whose outcomes arrived late.
        alarms: what a person should look at.
        notes: what was not judged, and why that is no alarm.
    """

    model: str
    date: dt.date
    read_at: dt.datetime | None = None
    replayed: int
    drift: list[dict[str, Any]]
    daily: dict[dt.date, list[dict[str, Any]]]
    alarms: list[Alarm]
    notes: list[str]


def chosen(specs: Specs, name: str | None, *, acknowledges: bool) -> list[str]:
    """Return the models to watch: ``name``, or all, with those whose spec can't be imported.

    Raises:
        SpecError: if there is no such model.
        AcknowledgementError: if alarms are to be acknowledged, but not of which of several models.
    """
    if name:
        specs.named(name)
        return [name]
    if acknowledges and len(specs.names) > 1:
        raise AcknowledgementError(f"param acknowledge: name the model in param model: {', '.join(specs.names)}")
    return specs.names


def compare(
    spec: ModelSpec, registry: Registry, uri: str, root: File, date: dt.date, run_id: str, limits: Limits
) -> str:
    """Compare a day's predictions with the training of each serving version; return the report's URL.

    Earlier days whose outcomes have arrived since they were judged are judged again. A plot of each version that
    drifted is stored beside the report.
    """
    run_folder = root / MONITORING.folder / f"day={date.isoformat()}" / file_name(run_id)
    folder = run_folder / file_name(registry.name)
    read_at = dt.datetime.now(dt.UTC)
    judge = Judge(spec, registry, uri, limits, acknowledged(uri, registry.name))
    days = served(spec, uri, registry.name, date)
    report = Report(
        model=registry.name,
        date=date,
        read_at=read_at,
        replayed=sum(day.replayed for day in days),
        drift=[],
        daily={date: []},
        alarms=[],
        notes=[],
    )
    for day in days:
        result = judge.day(day, date)
        _add(report, date, day.version, result)
        if result.plot:
            write(folder / f"version-{day.version}.png", result.plot)
    for earlier in late.changed(uri, registry.name, MODEL_DAILY, date):
        report.daily[earlier] = []
        for day in served(spec, uri, registry.name, earlier):
            _add(report, earlier, day.version, judge.outcomes(day, earlier))
    count = sum(day.predictions for day in days)
    if not count:
        report.notes.append(f"{registry.name} served no predictions")
    report.alarms += _volume(date, count, usual_volume(uri, registry.name, date))
    for note in report.notes:
        log.warning("%s: %s", date, note)
    log.info(
        "%s: %d version(s), %d prediction(s), %d of them replayed, %d check(s), %d earlier day(s) with late outcomes,"
        " %d alarm(s)",
        date,
        len(days),
        count,
        report.replayed,
        len(report.drift),
        len(report.daily) - 1,
        len(report.alarms),
    )
    return write(folder / "report.json", report.model_dump_json(indent=1).encode())


def _add(report: Report, date: dt.date, version: int, result: Judgement) -> None:
    common = {"day": date, "model": report.model, "version": version}
    report.drift += [common | asdict(finding) for finding in result.findings]
    report.daily[date] += [common | row for row in result.daily]
    report.alarms += result.alarms
    report.notes += result.notes


def load_report(report: File, uri: str, attempt: Attempt) -> None:
    """Load the report's rows into ``model_drift`` and ``model_daily``, replacing the model's of the days judged."""
    content = Report.model_validate_json(report.read_bytes())
    loads = [
        (MODEL_DRIFT, content.date, content.drift),
        *((MODEL_DAILY, day, rows) for day, rows in content.daily.items()),
    ]
    with connect(uri, attempt) as session:
        load_each(
            lambda item: load(
                session,
                replace(item[0], only=("model", content.model)),
                partition=item[1],
                rows=[{"psi": None} | row | {"day": item[1]} for row in item[2]] if item[0] is MODEL_DRIFT else item[2],
                attempt=attempt,
                requested_at=content.read_at,
            ),
            loads,
        )


def alert(report: File, uri: str, reason: str | None = None, only: Sequence[str] = ()) -> None:
    """Raise the alarms of the report that aren't acknowledged, the worst first.

    Args:
        report: the report.
        uri: the warehouse, which has the acknowledgements.
        reason: acknowledge the alarms first, for this reason.
        only: keys of the alarms that are acknowledged; all if empty.

    Raises:
        AcknowledgementError: if ``only`` names no alarm of the day, or there is no reason.
        DriftError: naming segment, feature, numbers, since when, and what to look at.
    """
    content = Report.model_validate_json(report.read_bytes())
    if only and not reason:
        raise AcknowledgementError("param only names alarms to acknowledge, but param acknowledge has no reason")
    if reason:
        acknowledge(uri, content.model, content.alarms, reason, only)
    known = acknowledged(uri, content.model)
    raised = []
    for alarm in sorted(content.alarms, key=lambda alarm: alarm.rank):
        reasons = [item.reason for item in known if item.covers(alarm.key, alarm.size)]
        if reasons:
            log.warning("acknowledged (%s): %s", reasons[-1], alarm)
        else:
            log.error(alarm)
            raised.append(alarm)
    if raised:
        more = f" (and {len(raised) - SHOWN} more: {report})" if len(raised) > SHOWN else ""
        sample = f" ({content.replayed} replayed predictions)" if content.replayed else ""
        raise DriftError(f"{content.model}, {content.date}{sample}: {'; '.join(map(str, raised[:SHOWN]))}{more}")


def _volume(date: dt.date, count: int, usual: float | None) -> list[Alarm]:
    if usual is None or count >= MINIMUM_VOLUME_SHARE * usual:
        return []
    text = f"volume: {count} live predictions, the median of the last {USUAL_DAYS} days with any is {usual:.0f}"
    share = count / usual - 1
    return [Alarm(day=date, kind="volume", version=0, segment="all", feature="volume", size=share, text=text)]
