"""Removes old rows of Airflow's database, task logs, files that runs left in object storage, and MLflow runs.

## What
Runs weekly. It only reports what it would remove, unless the param `dry_run` is false. Each kind has a separate task
that can be cleared or run without the others; the last task reports the free disk space.

## Inputs
- param `dry_run`: true by default
- params `metadata_days`, `log_days`, `handoff_days`, `preview_days`, `model_days`, `mlflow_days`: anything older is
  removed
- connection `metadata_default`: Airflow's own database. Without it, as in Compose and Kubernetes, the task is skipped
  and another service does the work; see `docs/runbooks/maintenance.md`
- connection `mlflow_default`; without it, the task is skipped

## Outputs
- each task logs what it removes or would remove, and returns the counts

## On failure
Some items may already be removed; the error names those that couldn't be. See `docs/runbooks/maintenance.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import CronTriggerTimetable, Param, dag, task

from include.core.dag import NOT_BACKFILLED, connection_or_skip, storage_root
from include.core.storage import HANDOFF, PREVIEW
from include.core.tags import Tag


@dag(
    schedule=CronTriggerTimetable("0 3 * * 0", timezone="UTC"),
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    allowed_run_types=NOT_BACKFILLED,
    params={
        "dry_run": Param(True, type="boolean", description="Only report what would be removed."),
        "metadata_days": Param(
            90, type="integer", minimum=7, maximum=36_500, description="Remove database rows older than this many days."
        ),
        "log_days": Param(
            30, type="integer", minimum=1, maximum=36_500, description="Remove logs older than this many days."
        ),
        "handoff_days": Param(
            2, type="integer", minimum=1, maximum=36_500, description="Remove hand-off files older than this many days."
        ),
        "preview_days": Param(
            30, type="integer", minimum=1, maximum=36_500, description="Remove preview pages older than this many days."
        ),
        "model_days": Param(
            90,
            type="integer",
            minimum=7,
            maximum=36_500,
            description="Remove files of trainings and of monitored days older than this many days.",
        ),
        "mlflow_days": Param(
            180, type="integer", minimum=1, maximum=36_500, description="Remove MLflow runs older than this many days."
        ),
    },
    default_args={"owner": "data-platform"},
    tags=[Tag.MAINTENANCE],
    doc_md=__doc__,
)
def maintenance() -> None:
    """Clean up each kind, then report disk space."""

    @task
    def old_metadata(metadata_conn_id: str, **context: Any) -> dict[str, int]:
        """Delete old rows of Airflow's database; return the number by table."""
        from include.ops.maintenance import metadata

        params = context["params"]
        url = metadata.sqlalchemy_url(connection_or_skip(metadata_conn_id).get_uri())
        age = timedelta(days=params["metadata_days"])
        return metadata.clean(url, age, datetime.now(UTC), dry_run=params["dry_run"])

    @task
    def old_logs(**context: Any) -> dict[str, Any]:
        """Remove old task logs on this machine; return their number and bytes."""
        from dataclasses import asdict
        from pathlib import Path

        from airflow.sdk.configuration import conf

        from include.ops.maintenance import files

        params = context["params"]
        folder = Path(conf.get("logging", "base_log_folder"))
        age = timedelta(days=params["log_days"])
        return asdict(files.old_logs(folder, age, datetime.now(UTC), dry_run=params["dry_run"]))

    @task
    def old_run_folders(folder: str, **context: Any) -> dict[str, Any]:
        """Remove the folders of old runs below a folder of the object storage; return their number."""
        from dataclasses import asdict

        from include.ops.maintenance import files

        params = context["params"]
        age = timedelta(days=params[f"{folder}_days"])
        return asdict(files.old_run_folders(storage_root() / folder, age, datetime.now(UTC), dry_run=params["dry_run"]))

    @task
    def old_model_files(**context: Any) -> dict[str, dict[str, Any]]:
        """Remove what old trainings and reports left in object storage; return the number by folder."""
        from dataclasses import asdict

        from include.ops.maintenance import files
        from include.settings import MODEL_FILES

        params, root, now = context["params"], storage_root(), datetime.now(UTC)
        age = timedelta(days=params["model_days"])
        return {
            kind.folder: asdict(
                files.old_run_folders(root / kind.folder, age, now, dry_run=params["dry_run"], runs=kind.runs)
            )
            for kind in MODEL_FILES
        }

    @task
    def old_mlflow_runs(mlflow_conn_id: str, **context: Any) -> dict[str, Any]:
        """Delete old runs, except those that a registered model needs; return their number."""
        from dataclasses import asdict

        from include.core.ml.tracking import Server
        from include.ops.maintenance import mlflow_runs

        params = context["params"]
        server = Server.of(connection_or_skip(mlflow_conn_id))
        age = timedelta(days=params["mlflow_days"])
        return asdict(mlflow_runs.old_runs(server, age, datetime.now(UTC), dry_run=params["dry_run"]))

    room_left = BashOperator(
        task_id="room_left", bash_command='df -Ph "${AIRFLOW_HOME:-$HOME}"', trigger_rule="all_done"
    )
    [
        old_metadata("metadata_default"),
        old_logs(),
        old_run_folders.override(task_id="old_handoffs")(HANDOFF),
        old_run_folders.override(task_id="old_previews")(PREVIEW),
        old_model_files(),
        old_mlflow_runs("mlflow_default"),
    ] >> room_left


maintenance()
