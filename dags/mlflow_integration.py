"""The wine experiment, kept in MLflow.

## What
Judges the article's recipe and its rivals on red and on white wines, in the protocol of the published reference and in
one without copies on both sides; fits the best; shows all of it in MLflow, and no more runs than are looked at.

## Inputs
- `winequality-red.csv` and `winequality-white.csv` in the folder `SPELLBOOK_WINES`
- connection `mlflow_default`

## Outputs
- experiment `wine_quality`: a run a colour with model, signature, input example, plots and the data's digest, a nested
  run a candidate; the newest `SPELLBOOK_KEPT_VERSIONS` trainings
- `wine/<run id>/` in object storage: the same files

## On failure
A training is kept in object storage: if MLflow is away, `log_to_mlflow` tries again later. See
`docs/runbooks/mlflow_integration.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Connection,
    CronDataIntervalTimetable,
    ObjectStoragePath,
    dag,
    task,
)
from pendulum import datetime

from include.core import settings
from include.core.dag import NOT_BACKFILLED, storage_root
from include.core.tags import Tag
from include.domains.wine import settings as wine

LONGEST = timedelta(hours=1)


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    allowed_run_types=NOT_BACKFILLED,
    max_active_runs=1,
    default_args={"owner": "data-science"},
    tags=[Tag.ML],
    doc_md=__doc__,
)
def mlflow_integration() -> None:
    """Train, log, prune."""

    @task(pool="cpu_bound_pool", pool_slots=2, map_index_template="{{ colour }}", execution_timeout=LONGEST)
    def train(colour: str, **context: Any) -> str:
        """Judge the candidates on the wines of one colour and fit the best; return where it is."""
        from include.domains.wine import pipeline

        context["colour"] = colour
        root = storage_root()
        names = wine.WINE_CANDIDATES.read().split(",")
        return pipeline.train(ObjectStoragePath(wine.WINES.read()), root, colour, context["dag_run"].run_id, names)

    @task(execution_timeout=LONGEST)
    def log_to_mlflow(evaluation: str, mlflow_conn_id: str) -> str:
        """Show a training in MLflow; return the run's id."""
        from include.domains.wine import tracking

        return tracking.record(ObjectStoragePath(evaluation), Connection.get(mlflow_conn_id).host)

    @task
    def prune_runs(mlflow_conn_id: str) -> int:
        """Delete the oldest trainings from the UI; return how many."""
        from include.domains.wine import tracking

        return tracking.prune(Connection.get(mlflow_conn_id).host, int(settings.KEPT_VERSIONS.read()))

    trained = train.expand(colour=["red", "white"])
    log_to_mlflow.partial(mlflow_conn_id="mlflow_default").expand(evaluation=trained) >> prune_runs("mlflow_default")


mlflow_integration()
