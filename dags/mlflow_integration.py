"""Compares models of wine quality, and tracks the experiment in MLflow.

## What
Cross-validates the article's recipe and other candidates on red and on white wines, with the protocol of the published
reference and with one that keeps duplicates on one side of each split; fits the best; logs everything to MLflow; prunes
old runs.

## Inputs
- `winequality-red.csv` and `winequality-white.csv` in the folder `SPELLBOOK_WINES`
- connection `mlflow_default`

## Outputs
- experiment `wine_quality`: for each colour, a run with model, signature, input example, plots and the data's digest,
  with a nested run for each candidate; only the newest `SPELLBOOK_KEPT_VERSIONS` trainings are kept
- `wine/<run id>/` in object storage: the same files

## On failure
Trainings are stored in object storage, so if MLflow is unavailable, only `log_to_mlflow` has to be retried. See
`docs/runbooks/mlflow_integration.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Connection, CronDataIntervalTimetable, ObjectStoragePath, dag, task
from pendulum import datetime

from include.core import settings
from include.core.dag import NOT_BACKFILLED, storage_root
from include.core.tags import Tag
from include.domains.wine import settings as wine

TIMEOUT = timedelta(hours=1)


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

    @task(pool="cpu_bound_pool", pool_slots=2, map_index_template="{{ colour }}", execution_timeout=TIMEOUT)
    def train(colour: str, **context: Any) -> str:
        """Compare the candidates on the wines of one colour and fit the best; return the evaluation's URL."""
        from include.domains.wine import pipeline

        context["colour"] = colour
        root = storage_root()
        names = wine.WINE_CANDIDATES.read().split(",")
        return pipeline.train(ObjectStoragePath(wine.WINES.read()), root, colour, context["dag_run"].run_id, names)

    @task(execution_timeout=TIMEOUT)
    def log_to_mlflow(evaluation: str, mlflow_conn_id: str) -> str:
        """Log a training to MLflow; return the run's id."""
        from include.core.ml.tracking import Server
        from include.domains.wine import tracking

        return tracking.record(ObjectStoragePath(evaluation), Server.of(Connection.get(mlflow_conn_id)))

    @task
    def prune_runs(mlflow_conn_id: str) -> int:
        """Delete the oldest trainings in MLflow; return their number."""
        from include.core.ml.tracking import Server
        from include.domains.wine import tracking

        return tracking.prune(Server.of(Connection.get(mlflow_conn_id)), int(settings.KEPT_VERSIONS.read()))

    trained = train.expand(colour=["red", "white"])
    log_to_mlflow.partial(mlflow_conn_id="mlflow_default").expand(evaluation=trained) >> prune_runs("mlflow_default")


mlflow_integration()
