"""The pages of "Data health"; imported at the first request only."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from include.core.ml.drift.datasets import MODEL_DAILY, MODEL_DRIFT
from include.core.warehouse.dataset import NUMBERS, Dataset
from include.datasets import DATASETS
from include.ops.health.alerts import outbox
from include.ops.health.detail import Detail, detail
from include.ops.health.models import models
from include.ops.health.overview import ALLOWED_SHARE, Health, State, overview
from include.ops.health.reading import Reader, UnavailableError
from spellbook.ui.app import HEADERS
from spellbook.ui.neighbours import neighbours
from spellbook.ui.render import Links, render
from spellbook.ui.svg import line_chart, sparkline
from spellbook.ui.warehouse import find_uri

STATIC = Path(__file__).parent / "static"
FILES = {"style.css": "text/css", "frame.js": "text/javascript"}

router = APIRouter()
reader = Reader(find_uri)


def readable_dags(user: GetUserDep) -> frozenset[str]:
    """Return the DAGs that the user may read; what others have loaded or sent isn't shown."""
    return frozenset(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))


Readable = Annotated[frozenset[str], Depends(readable_dags)]


@router.get("/")
def list_datasets(request: Request, readable: Readable) -> Response:
    """List the datasets, those in trouble first."""
    try:
        healths = [health for health in _overview() if health.is_readable(readable)]
    except UnavailableError as error:
        return _page(request, "unavailable.html", "Datasets", reason=str(error))
    counts = {state: sum(health.state is state for health in healths) for state in State}
    troubled = sorted(healths, key=lambda health: (health.state is not State.LATE, health.dataset.name))
    return _page(
        request, "datasets.html", "Datasets", healths=troubled, counts=counts, allowed=ALLOWED_SHARE, readable=readable
    )


@router.get("/datasets/{name}")
def show_dataset(request: Request, name: str, readable: Readable) -> Response:
    """Show one dataset."""
    dataset = next((dataset for dataset in DATASETS if dataset.name == name), None)
    if dataset is None:
        return _missing(request)
    try:
        health = next(health for health in _overview() if health.dataset is dataset)
        if not health.is_readable(readable):
            raise HTTPException(403, "Forbidden")
        found = reader.read(("detail", name), partial(detail, dataset=dataset))
    except UnavailableError as error:
        return _page(request, "unavailable.html", name, reason=str(error), dataset=dataset)
    return _page(
        request,
        "dataset.html",
        name,
        dataset=dataset,
        health=health,
        rows=found.rows,
        numbers=NUMBERS,
        rejected=[row for row in found.rejected if row.dag_id in readable],
        loads=[load for load in found.loads if load.dag_id in readable],
        measures=[(measure, sparkline(measure)) for measure in found.measures],
        chart=_chart(dataset, found),
        neighbours=neighbours(name, readable),
        readable=readable,
        allowed=ALLOWED_SHARE,
    )


@router.get("/models")
def show_models(request: Request, readable: Readable) -> Response:
    """Show versions, verdicts, segments and drift of the models."""
    try:
        watched = {health.dataset.name for health in _overview() if health.is_readable(readable)}
        found = reader.read("models", models)
    except UnavailableError as error:
        return _page(request, "unavailable.html", "Models", reason=str(error))
    segments = found.segments if MODEL_DAILY.name in watched else []
    drifts = found.drifts if MODEL_DRIFT.name in watched else []
    return _page(
        request,
        "models.html",
        "Models",
        versions=found.versions,
        verdicts=found.verdicts,
        segments=segments,
        drifts=drifts,
    )


@router.get("/alerts")
def show_alerts(request: Request, readable: Readable) -> Response:
    """Show the alerts that wait, and those of the last days."""
    try:
        found = reader.read("alerts", outbox)
    except UnavailableError as error:
        return _page(request, "unavailable.html", "Alerts", reason=str(error))
    waiting, recent = ([message for message in some if message.dag_id in readable] for some in found[:2])
    return _page(
        request, "alerts.html", "Alerts", waiting=waiting, recent=recent, drained_at=found.drained_at, readable=readable
    )


@router.get("/static/{name}")
def send_static(name: str) -> Response:
    """Send the style sheet or the script."""
    if name not in FILES:
        raise HTTPException(404, "Not Found")
    headers = HEADERS | {"Cache-Control": "private, max-age=300"}
    return FileResponse(STATIC / name, media_type=FILES[name], headers=headers)


def _overview() -> list[Health]:
    return reader.read("overview", lambda session: overview(session, DATASETS, datetime.now(UTC)))


def _chart(dataset: Dataset, found: Detail) -> object:
    if dataset.chart is None or not found.lines:
        return None
    is_number = dataset.column(dataset.chart.x).type not in {"date", "timestamp with time zone"}
    return line_chart(found.lines, is_number=is_number)


def _missing(request: Request) -> Response:
    response = _page(request, "missing.html", "Not found")
    response.status_code = 404
    return response


def _page(request: Request, template: str, title: str, **values: object) -> Response:
    links = Links(request.scope.get("root_path", ""))
    return HTMLResponse(render(template, title=title, links=links, now=datetime.now(UTC), **values), headers=HEADERS)
