"""Trains, evaluates and deploys a classifier of who survived the Titanic.

## What
Validates the passenger list, compares candidates with the baselines on the same folds, rejects a candidate that harms
anybody, makes one that is better than the champion the new one, and verifies with real requests that the model server
serves it. Each candidate gets a model card. A candidate that is merely as good ends the run without a deployment.

## Inputs
- the passenger list: param `passengers`, else `SPELLBOOK_TITANIC_PASSENGERS`
- connections `mlflow_default`, `model_server_default`, and `postgres_default` for the checksums of models
- params: `models` to compare, `repeats` of ten-fold cross-validation, `needs_gain` over the champion, `approval` by a
  human, `on_refusal` fail or skip

## Outputs
- a version of the registered model `titanic` with the alias `champion`; files, plots and card in its MLflow run
- asset `titanic_model`, when the version is being served
- `titanic/<run id>/` in object storage: passengers, candidate, verdict, card

## On failure
The previous champion is kept or restored; the error names the gate and the numbers.
See `docs/runbooks/titanic_ml_pipeline.md`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import (
    Asset,
    Connection,
    CronDataIntervalTimetable,
    ExceptionRetryPolicy,
    ObjectStoragePath,
    Param,
    RetryAction,
    RetryRule,
    dag,
    task,
)
from pendulum import datetime

from include.core import settings
from include.core.dag import NOT_BACKFILLED, storage_root, warehouse_uri
from include.core.tags import Tag
from include.domains.titanic import settings as titanic

APPROVAL_TIMEOUT = RetryRule(
    HITLTimeoutError,
    RetryAction.FAIL,
    reason="no response to the approval request: start a new run, respond under Required Actions",
)
REPEATS = int(titanic.TITANIC_REPEATS.read())
MODELS = ["gender_rule", "article_recipe", "logistic_regression", "soft_vote"]


@dag(
    schedule=CronDataIntervalTimetable("@weekly", timezone="UTC"),
    start_date=datetime(2024, 1, 7, tz="UTC"),
    catchup=False,
    allowed_run_types=NOT_BACKFILLED,
    max_active_runs=1,
    params={
        "passengers": Param(
            None,
            type=["null", "string"],
            maxLength=2000,
            description="Path or URL of the passenger list, below inbox/ of object storage or in"
            " SPELLBOOK_SOURCE_FOLDERS; null: SPELLBOOK_TITANIC_PASSENGERS.",
        ),
        "models": Param(
            ["logistic_regression", "soft_vote"],
            type="array",
            items={"enum": MODELS},
            minItems=1,
            description="Models to compare; the best one becomes the candidate.",
        ),
        "repeats": Param(
            REPEATS, type="integer", minimum=1, maximum=50, description="Repeats of ten-fold cross-validation."
        ),
        "needs_gain": Param(
            True,
            type="boolean",
            description="Whether a candidate must be better than the champion in something; false: it must do no harm.",
        ),
        "approval": Param(False, type="boolean", description="Whether a human must approve the deployment."),
        "on_refusal": Param(
            "fail",
            enum=["fail", "skip"],
            description="Whether the run fails or skips deployment if the candidate is rejected.",
        ),
    },
    default_args={"owner": "data-science"},
    tags=[Tag.ML],
    doc_md=__doc__,
)
def titanic_ml_pipeline() -> None:
    """Prepare, train, evaluate, deploy."""

    @task
    def prepare_data(**context: Any) -> str:
        """Validate the passenger list and store it; return the URL."""
        from include.core.input_files import allowed, opened
        from include.core.ml.training_list import LARGEST_LIST
        from include.core.storage import file_name
        from include.domains.titanic.passengers import PASSENGER_LIST

        root, requested = storage_root(), context["params"]["passengers"]
        source = allowed("param passengers", requested, root) if requested else titanic.TITANIC_PASSENGERS.read()
        with opened(source, LARGEST_LIST, ObjectStoragePath) as file:
            folder = root / titanic.TRAININGS.folder / file_name(context["dag_run"].run_id)
            return PASSENGER_LIST.prepare(file.read(), source, folder / "passengers.parquet")

    @task(pool="cpu_bound_pool", pool_slots=2)
    def train_model(passengers: str, postgres_conn_id: str, **context: Any) -> str:
        """Compare the models on the same folds and fit the best; return the candidate's URL."""
        from include.core.ml import pipeline
        from include.core.ml.evaluation import Folds
        from include.domains.titanic.spec import TITANIC

        folds = Folds(repeats=context["params"]["repeats"])
        models, warehouse = context["params"]["models"], warehouse_uri(postgres_conn_id)
        return pipeline.train(TITANIC, ObjectStoragePath(passengers), folds, models, warehouse)

    @task.branch(pool="cpu_bound_pool", pool_slots=2)
    def evaluate_model(
        candidate: str, passengers: str, mlflow_conn_id: str, postgres_conn_id: str, **context: Any
    ) -> list[str]:
        """Judge the candidate; continue with approval or deployment, or end the run."""
        from include.core.ml import pipeline
        from include.core.ml.errors import RefusedError
        from include.core.ml.evaluation import Folds
        from include.core.ml.registry import Registry
        from include.core.ml.tracking import Server
        from include.domains.titanic.spec import TITANIC

        registry = Registry(
            Server.of(Connection.get(mlflow_conn_id)), TITANIC.name, partial(warehouse_uri, postgres_conn_id)
        )
        verdict = pipeline.evaluate(
            TITANIC,
            ObjectStoragePath(passengers),
            ObjectStoragePath(candidate),
            registry,
            Folds(repeats=context["params"]["repeats"]),
            needs_gain=context["params"]["needs_gain"],
        )
        context["ti"].xcom_push("summary", verdict.summary)
        if verdict.accepted:
            return ["approve_model" if context["params"]["approval"] else "deploy_model"]
        if context["params"]["on_refusal"] == "fail" and not verdict.is_harmless:
            raise RefusedError("; ".join(verdict.refusals))
        return []

    approve_model = ApprovalOperator(
        task_id="approve_model",
        subject="Deploy this model?",
        body="{{ ti.xcom_pull(task_ids='evaluate_model', key='summary') }}",
        response_timeout=timedelta(hours=float(titanic.TITANIC_APPROVAL_HOURS.read())),
        retry_policy=ExceptionRetryPolicy([APPROVAL_TIMEOUT]),
    )

    @task(trigger_rule="none_failed_min_one_success", outlets=[Asset("titanic_model")])
    def deploy_model(
        candidate: str, mlflow_conn_id: str, postgres_conn_id: str, model_server_conn_id: str, **context: Any
    ) -> int:
        """Register the model, make it champion, verify that it is served; return the version."""
        from include.core.ml import pipeline
        from include.core.ml.registry import Registry
        from include.core.ml.serving.client import ModelServer
        from include.core.ml.tracking import Server
        from include.domains.titanic.spec import TITANIC

        approval = context["ti"].xcom_pull(task_ids="approve_model") or {}
        approver = (approval.get("responded_by_user") or {}).get("name")
        return pipeline.deploy(
            TITANIC,
            ObjectStoragePath(candidate),
            Registry(Server.of(Connection.get(mlflow_conn_id)), TITANIC.name, partial(warehouse_uri, postgres_conn_id)),
            ModelServer(Connection.get(model_server_conn_id).host, TITANIC),
            patience=float(settings.SERVING_PATIENCE.read()),
            keep=int(settings.KEPT_VERSIONS.read()),
            by=f"run {context['run_id']}" + (f", approved by {approver}" if approver else ""),
        )

    passengers = prepare_data()
    candidate = train_model(passengers, "postgres_default")
    evaluated = evaluate_model(candidate, passengers, "mlflow_default", "postgres_default")
    deployed = deploy_model(candidate, "mlflow_default", "postgres_default", "model_server_default")
    evaluated >> [approve_model, deployed]
    approve_model >> deployed


titanic_ml_pipeline()
