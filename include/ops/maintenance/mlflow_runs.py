"""Old runs of MLflow: found, told, and deleted only if that is asked for.

MLflow keeps a deleted run's rows and files until ``mlflow gc`` is run where its database is.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

from include.core.ml.registry import client
from include.ops.maintenance.files import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

PAGE = 1000
PARENT = "mlflow.parentRunId"


def old_runs(uri: str, older_than: dt.timedelta, now: dt.datetime, *, dry_run: bool) -> Found:
    """Delete runs that began before ``now`` less ``older_than``, in every experiment.

    A run that holds the files of a registered model's version stays, whatever its age, and with it its parent.

    Raises:
        MlflowException: if MLflow doesn't answer; worth a retry.
    """
    mlflow = client(uri)
    spared = {str(version.run_id) for version in mlflow.search_model_versions(max_results=10_000)}
    found = list(_begun_before(mlflow, int((now - older_than).timestamp() * 1000)))
    spared |= {run.data.tags[PARENT] for run in found if run.info.run_id in spared and PARENT in run.data.tags}
    old = [run for run in found if run.info.run_id not in spared]
    for run in old:
        log.info("%s run %s %s", "would delete" if dry_run else "deleting", run.info.run_id, run.info.run_name)
        if not dry_run:
            mlflow.delete_run(run.info.run_id)
    return Found(len(old), 0, not dry_run)


def _begun_before(mlflow: MlflowClient, moment: int) -> Iterator[Run]:
    """Yield the runs that began before ``moment``, milliseconds since 1970."""
    experiments = [experiment.experiment_id for experiment in mlflow.search_experiments(max_results=PAGE)]
    token: str | None = None
    while experiments:
        page = mlflow.search_runs(experiments, f"attributes.start_time < {moment}", max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
