"""Compares what the titanic model served in a day with its training data.

## What
Compares features and predictions of a UTC day, and of the days before it, in each sex and class, with the training data
of the version that served them and its first healthy days; counts predictions; measures accuracy where outcomes have
arrived, also those of earlier days, and estimates it; raises an alert if there is drift.

## Inputs
- tables `predictions` and `outcomes`, which the model server writes
- connection `mlflow_default`, for the training data of each version; `postgres_default`
- param `preview`: show what the run would change, and write nothing
- the day: param `day`, else the first of the run's data interval; the day before the trigger, if the run has none
- params `acknowledge`, a reason, and `only`, the keys of alarms: acknowledge alarms of the day, all by default

## Outputs
- table `model_drift`: all checks of each day; table `model_daily`: volume and accuracy by segment
- table `model_alarm_acknowledgement`
- `monitoring/day=…/` in object storage: report and plots

## On failure
`alert` fails if there is an alarm that wasn't acknowledged: its error names segment, feature, numbers, since when, and
what to look at. See `docs/runbooks/model_monitoring.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Connection, CronDataIntervalTimetable, ObjectStoragePath, Param, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, day_param, publication, run_day, storage_root, warehouse_uri
from include.core.tags import Tag

ACKNOWLEDGE = {
    "acknowledge": Param(
        None,
        type=["null", "string"],
        minLength=10,
        maxLength=500,
        description="Acknowledge alarms of the day for this reason: they fail no run until they change.",
    ),
    "only": Param(
        [], type="array", items={"type": "string"}, description="Keys of the alarms to acknowledge; all if empty."
    ),
}


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW | {"day": day_param()} | ACKNOWLEDGE,
    default_args={"owner": "data-science"},
    tags=[Tag.ML],
    doc_md=__doc__,
)
def model_monitoring() -> None:
    """Compare, keep, alert."""

    @task(inlets=[Asset("titanic_model"), Asset("predictions")])
    def compare_day(mlflow_conn_id: str, postgres_conn_id: str, **context: Any) -> str:
        """Check the day's predictions; return the report's URL."""
        from include.core.ml.drift import pipeline
        from include.core.ml.drift.checks import Limits
        from include.core.ml.registry import Registry
        from include.core.ml.tracking import Server
        from include.domains.titanic.spec import TITANIC

        run, uri = context["dag_run"], warehouse_uri(postgres_conn_id)
        return pipeline.compare(
            TITANIC,
            Registry(Server.of(Connection.get(mlflow_conn_id)), TITANIC.name, lambda: uri),
            uri,
            storage_root(),
            run_day(context),
            run.run_id,
            Limits(),
        )

    @task(pool="database_access", outlets=[Asset("model_drift"), Asset("model_daily")])
    def keep_history(report: str, postgres_conn_id: str, **context: Any) -> str:
        """Load the results of the checks; return the report's URL."""
        from include.core.ml.drift import pipeline

        with publication(context) as attempt:
            pipeline.load_report(ObjectStoragePath(report), warehouse_uri(postgres_conn_id), attempt)
        return report

    @task
    def alert(report: str, postgres_conn_id: str, **context: Any) -> None:
        """Fail, and so raise an alert, if there are alarms that weren't acknowledged."""
        from include.core.ml.drift import pipeline

        params = context["params"]
        pipeline.alert(
            ObjectStoragePath(report), warehouse_uri(postgres_conn_id), params["acknowledge"], params["only"]
        )

    report = keep_history(compare_day("mlflow_default", "postgres_default"), "postgres_default")
    alert(report, "postgres_default")


model_monitoring()
