"""Compares what each model served in a day with its training data.

## What
Watches every model that has a `ModelSpec` in `include/domains/<domain>/spec.py`, each on its own. Compares features and
predictions of a UTC day, and of the days before it, in each segment of the spec, with the training data of the version
that served them and its first healthy days; counts predictions; measures accuracy where outcomes have arrived, also
those of earlier days, and estimates it; raises an alert if there is drift.

## Inputs
- tables `predictions` and `outcomes`, which the model server writes
- connection `mlflow_default`, for the training data of each version; `postgres_default`
- param `preview`: show what the run would change, and write nothing
- the day: param `day`, else the first of the run's data interval; the day before the trigger, if the run has none
- param `model`: watch this model alone
- params `acknowledge`, a reason, and `only`, the keys of alarms: acknowledge alarms of the day, all by default; among
  several models, those of `model`

## Outputs
- table `model_drift`: all checks of each day; table `model_daily`: volume and accuracy by segment
- table `model_alarm_acknowledgement`
- `monitoring/day=…/<run id>/<model>/` in object storage: report and plots

## On failure
`alert` fails for a model with an alarm that wasn't acknowledged: its error names model, segment, feature, numbers,
since when, and what to look at. `compare_day` fails for a domain whose spec can't be used. The other models are watched
all the same. See `docs/runbooks/model_monitoring.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Connection, CronDataIntervalTimetable, ObjectStoragePath, Param, dag, task, task_group
from pendulum import datetime

from include.core.dag import PREVIEW, day_param, publication, run_day, storage_root, warehouse_uri
from include.core.tags import Tag

MODEL = "{{ report.split('/')[-2] }}"  # its report is in a folder of its own
CHOICE = {
    "model": Param(None, type=["null", "string"], maxLength=100, description="Watch this model alone; null: all."),
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
    params=PREVIEW | {"day": day_param()} | CHOICE,
    default_args={"owner": "data-science"},
    tags=[Tag.ML],
    doc_md=__doc__,
)
def model_monitoring() -> None:
    """Compare, keep, alert: each model on its own."""

    @task
    def list_models(**context: Any) -> list[str]:
        """Return the names of the models to watch."""
        from include.core.ml.drift import pipeline
        from include.models import SPECS

        params = context["params"]
        return pipeline.chosen(SPECS, params["model"], acknowledges=params["acknowledge"] is not None)

    @task(inlets=[Asset("predictions")], map_index_template="{{ model }}")
    def compare_day(model: str, mlflow_conn_id: str, postgres_conn_id: str, **context: Any) -> str:
        """Check a model's predictions of the day; return the report's URL."""
        from include.core.ml.drift import pipeline
        from include.core.ml.drift.checks import Limits
        from include.core.ml.registry import Registry
        from include.core.ml.tracking import Server
        from include.models import SPECS

        run, uri, spec = context["dag_run"], warehouse_uri(postgres_conn_id), SPECS.named(model)
        return pipeline.compare(
            spec,
            Registry(Server.of(Connection.get(mlflow_conn_id)), spec.name, lambda: uri),
            uri,
            storage_root(),
            run_day(context),
            run.run_id,
            Limits(),
        )

    @task(
        pool="database_access",
        outlets=[Asset("model_drift"), Asset("model_daily")],
        map_index_template=MODEL,
    )
    def keep_history(report: str, postgres_conn_id: str, **context: Any) -> str:
        """Load the results of the checks; return the report's URL."""
        from include.core.ml.drift import pipeline

        with publication(context) as attempt:
            pipeline.load_report(ObjectStoragePath(report), warehouse_uri(postgres_conn_id), attempt)
        return report

    @task(map_index_template=MODEL)
    def alert(report: str, postgres_conn_id: str, **context: Any) -> None:
        """Fail, and so raise an alert, if there are alarms that weren't acknowledged."""
        from include.core.ml.drift import pipeline

        params = context["params"]
        pipeline.alert(
            ObjectStoragePath(report), warehouse_uri(postgres_conn_id), params["acknowledge"], params["only"]
        )

    @task_group(prefix_group_id=False)
    def watch(model: str) -> None:
        """Watch a model."""
        report = compare_day(model=model, mlflow_conn_id="mlflow_default", postgres_conn_id="postgres_default")
        kept = keep_history(report=report, postgres_conn_id="postgres_default")
        alert(report=kept, postgres_conn_id="postgres_default")

    watch.expand(model=list_models())


model_monitoring()
