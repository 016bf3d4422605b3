"""Old runs of MLflow: which are deleted, which a registered version keeps, and that a dry run deletes none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from include.core.ml.tracking import Server, client
from include.core.storage import url_of
from include.ops.maintenance.mlflow_runs import old_runs

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
AGE = dt.timedelta(days=180)
# MLflow's own store, which runs in this process here, causes this warning.
pytestmark = pytest.mark.filterwarnings("ignore:.*noload")


def days_ago(days: int) -> int:
    """The time so many days before now, in milliseconds since 1970."""
    return int((NOW - dt.timedelta(days=days)).timestamp() * 1000)


def test_old_runs_are_deleted_except_those_that_a_version_needs(tmp_path: Path) -> None:
    server = Server(f"sqlite:///{tmp_path}/mlflow.db")
    api = client(server)
    experiment = api.create_experiment("wines", artifact_location=url_of(tmp_path / "artifacts"))
    old, parent = (api.create_run(experiment, start_time=days_ago(days)).info.run_id for days in (181, 200))
    child = api.create_run(experiment, start_time=days_ago(199), tags={"mlflow.parentRunId": parent}).info.run_id
    young = api.create_run(experiment, start_time=days_ago(179)).info.run_id
    api.create_registered_model("wines")
    api.create_model_version("wines", f"runs:/{child}/model", child)

    planned = old_runs(server, AGE, NOW, dry_run=True)
    assert (planned.count, planned.removed) == (1, False)
    assert len(api.search_runs([experiment])) == 4

    result = old_runs(server, AGE, NOW, dry_run=False)
    assert (result.count, result.removed) == (1, True)
    assert {run.info.run_id for run in api.search_runs([experiment])} == {parent, child, young}
    assert api.get_run(old).info.lifecycle_stage == "deleted"
