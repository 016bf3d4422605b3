"""Removes what time leaves behind: old rows of Airflow's database, task logs, hand-off files and MLflow runs.

## What
Each week, and only tells what it would remove, unless the param `dry_run` is false. Each kind is a task of its own, so
that one can be cleared or run without the others; the last one tells how much room the disk has.

## Inputs
- param `dry_run`: true unless said otherwise
- params `metadata_days`, `log_days`, `handoff_days`, `mlflow_days`: what is older is removed
- connection `metadata_default`: Airflow's own database. Where workers aren't given it, as in Compose and Kubernetes,
  the task is skipped: there, what has the database does the work; see `docs/runbooks/maintenance.md`
- connection `mlflow_default`; without it, the task is skipped

## Outputs
- each task's log names what it removes, or would remove; its result counts

## On failure
What could be removed is gone; the error names what couldn't. See `docs/runbooks/maintenance.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import CronTriggerTimetable, Param, dag, task

from include.core.dag import NOT_BACKFILLED, storage_root
from include.core.tags import Tag


@dag(
    schedule=CronTriggerTimetable("0 3 * * 0", timezone="UTC"),
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    allowed_run_types=NOT_BACKFILLED,
    params={
        "dry_run": Param(True, type="boolean", description="Only tell what would be removed."),
        "metadata_days": Param(90, type="integer", minimum=7, description="Database rows older than so many days go."),
        "log_days": Param(30, type="integer", minimum=1, description="Logs older than so many days go."),
        "handoff_days": Param(2, type="integer", minimum=1, description="Hand-off files older than so many days go."),
        "mlflow_days": Param(180, type="integer", minimum=1, description="MLflow runs older than so many days go."),
    },
    default_args={"owner": "data-platform"},
    tags=[Tag.MAINTENANCE],
    doc_md=__doc__,
)
def maintenance() -> None:
    """Each kind by itself."""

    @task
    def old_metadata(metadata_conn_id: str, **context: Any) -> dict[str, int]:
        """Delete old rows of Airflow's database; returns how many, by table."""
        from include.ops.maintenance import metadata
        from spellbook.hooks.optional import connection_or_skip

        params = context["params"]
        url = metadata.sqlalchemy_url(connection_or_skip(metadata_conn_id).get_uri())
        age = timedelta(days=params["metadata_days"])
        return metadata.clean(url, age, datetime.now(UTC), dry_run=params["dry_run"])

    @task
    def old_logs(**context: Any) -> dict[str, Any]:
        """Remove old task logs of this machine; returns how many, and their bytes."""
        from dataclasses import asdict
        from pathlib import Path

        from airflow.sdk.configuration import conf

        from include.ops.maintenance import files

        params = context["params"]
        folder = Path(conf.get("logging", "base_log_folder"))
        age = timedelta(days=params["log_days"])
        return asdict(files.old_logs(folder, age, datetime.now(UTC), dry_run=params["dry_run"]))

    @task
    def old_handoffs(**context: Any) -> dict[str, Any]:
        """Remove hand-off files that no run will read; returns how many folders."""
        from dataclasses import asdict

        from include.ops.maintenance import files

        params = context["params"]
        root = storage_root()
        age = timedelta(days=params["handoff_days"])
        return asdict(files.old_handoffs(root, age, datetime.now(UTC), dry_run=params["dry_run"]))

    @task
    def old_mlflow_runs(mlflow_conn_id: str, **context: Any) -> dict[str, Any]:
        """Delete old runs, but those that a registered model needs; returns how many."""
        from dataclasses import asdict

        from include.ops.maintenance import mlflow_runs
        from spellbook.hooks.optional import connection_or_skip

        params = context["params"]
        uri = connection_or_skip(mlflow_conn_id).host
        age = timedelta(days=params["mlflow_days"])
        return asdict(mlflow_runs.old_runs(uri, age, datetime.now(UTC), dry_run=params["dry_run"]))

    room_left = BashOperator(
        task_id="room_left", bash_command='df -Ph "${AIRFLOW_HOME:-$HOME}"', trigger_rule="all_done"
    )
    [old_metadata("metadata_default"), old_logs(), old_handoffs(), old_mlflow_runs("mlflow_default")] >> room_left


maintenance()
