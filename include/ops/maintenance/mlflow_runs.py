"""Deletes old runs of MLflow.

MLflow keeps a deleted run's rows and files until ``mlflow gc`` is run with access to its database.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

from include.core.ml.tracking import client
from include.ops.maintenance.files import Expired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient
    from mlflow.entities import Run

    from include.core.ml.tracking import Server

log = logging.getLogger(__name__)

PAGE = 1000
PARENT = "mlflow.parentRunId"


def old_runs(server: Server, older_than: dt.timedelta, now: dt.datetime, *, dry_run: bool) -> Expired:
    """Delete runs started before ``now`` - ``older_than``, in all experiments.

    Runs with the files of a registered model's version are kept, whatever their age, and so are their parents.

    Raises:
        MlflowException: if MLflow doesn't respond; can be retried.
    """
    mlflow = client(server)
    protected = {str(version.run_id) for version in mlflow.search_model_versions(max_results=10_000)}
    runs = list(_started_before(mlflow, int((now - older_than).timestamp() * 1000)))
    protected |= {run.data.tags[PARENT] for run in runs if run.info.run_id in protected and PARENT in run.data.tags}
    old = [run for run in runs if run.info.run_id not in protected]
    for run in old:
        log.info("%s run %s %s", "would delete" if dry_run else "deleting", run.info.run_id, run.info.run_name)
        if not dry_run:
            mlflow.delete_run(run.info.run_id)
    return Expired(len(old), 0, not dry_run)


def _started_before(mlflow: MlflowClient, timestamp: int) -> Iterator[Run]:
    """Yield the runs started before ``timestamp``, in milliseconds since 1970."""
    experiments = [experiment.experiment_id for experiment in mlflow.search_experiments(max_results=PAGE)]
    token: str | None = None
    while experiments:
        page = mlflow.search_runs(
            experiments, f"attributes.start_time < {timestamp}", max_results=PAGE, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return
