"""Registers a version of a model, and makes it champion.

## What
Publishes one file as a version in MLflow, and moves the alias `champion` to it; tells the ledger of each step.

## Inputs
Connection `mlflow_default`.

## Outputs
The registered model `ledger`.

## On failure
Clear the failed task.
"""

from __future__ import annotations

from functools import partial

from airflow.sdk import Connection, dag, get_current_context, task

from include.core.dag import warehouse_uri
from tests.faults import MODEL
from tests.faults.dag import DEFAULTS, note


@dag(schedule=None, doc_md=__doc__, **DEFAULTS)
def ledger_model() -> None:
    """Register."""

    @task
    def register() -> int:
        """Publish and promote; return the version's number."""
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from include.core.ml import artifact, registry
        from include.core.ml.tracking import Server

        models = registry.Registry(
            Server.of(Connection.get("mlflow_default")), MODEL, partial(warehouse_uri, "postgres_default")
        )
        run = str(get_current_context()["run_id"])
        note("start")
        with TemporaryDirectory() as name:
            file = Path(name) / registry.MODEL
            file.parent.mkdir()
            file.write_text(run)
            files = {registry.MODEL: artifact.digest(file.read_bytes())}
            version = models.publish(run, files, Path(name), registry.Record({}, {}, {}))
        note("publish")
        models.promote(version)
        note("end")
        return version.number

    register()


ledger_model()
