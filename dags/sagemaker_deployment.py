"""The champion on Amazon SageMaker.

## What
Packs the registered champion, makes a new endpoint beside the old one, has it answer real requests, points callers
to it and only then removes the old one.

## Inputs
- the champion of the registered model `titanic`, connection `mlflow_default`
- connection `aws_default`; `SPELLBOOK_SAGEMAKER_BUCKET`, `…_ROLE`, `…_IMAGE`, `…_INSTANCE`

## Outputs
- a SageMaker model, endpoint configuration and endpoint of one name: version, checksum, run
- `sagemaker/titanic/live.json` in the bucket: which endpoint to call

## On failure
What this run made is removed and the old endpoint serves on. See `docs/runbooks/sagemaker_deployment.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Connection, chain, dag, task
from pendulum import datetime

from include.core.ml.sagemaker import definitions
from include.core.tags import Tag
from include.domains.titanic import settings
from spellbook.operators.sagemaker import CreateEndpointConfigOperator, CreateEndpointOperator, CreateModelOperator

NAME = "{{ ti.xcom_pull(task_ids='package_model')['name'] }}"
MODEL = "titanic"
MODEL_URL = "{{ ti.xcom_pull(task_ids='package_model')['model_url'] }}"


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    max_active_runs=1,
    default_args={"owner": "data-science"},
    tags=[Tag.ML],
    doc_md=__doc__,
)
def sagemaker_deployment() -> None:
    """Package, create, ask, switch, retire."""

    @task(inlets=[Asset("titanic_model")])
    def package_model(aws_conn_id: str, mlflow_conn_id: str, **context: Any) -> dict[str, Any]:
        """Upload the champion as model.tar.gz; return the names that this run uses."""
        from include.core.ml.registry import Registry
        from include.core.ml.sagemaker import deployment
        from include.domains.titanic.spec import TITANIC
        from spellbook.hooks.sagemaker import bucket

        registry = Registry(Connection.get(mlflow_conn_id).host, MODEL)
        return deployment.package(
            TITANIC, registry, bucket(aws_conn_id, settings.SAGEMAKER_BUCKET.read(), MODEL), context["dag_run"].run_id
        ).model_dump()

    create_model = CreateModelOperator(
        task_id="create_model",
        config=definitions.model(NAME, MODEL_URL, settings.SAGEMAKER_ROLE.read(), settings.SAGEMAKER_IMAGE.read()),
        aws_conn_id="aws_default",
    )
    create_endpoint_config = CreateEndpointConfigOperator(
        task_id="create_endpoint_config",
        config=definitions.endpoint_config(NAME, settings.SAGEMAKER_INSTANCE.read()),
        aws_conn_id="aws_default",
    )
    create_endpoint = CreateEndpointOperator(
        task_id="create_endpoint",
        config={"EndpointName": NAME, "EndpointConfigName": NAME},
        options={"check_interval": 15, "max_ingestion_time": 1800, "deferrable": True},
        aws_conn_id="aws_default",
    )

    @task
    def invoke_endpoint(made: dict[str, Any], aws_conn_id: str, mlflow_conn_id: str) -> str:
        """Have the new endpoint answer real requests."""
        from include.core.ml.registry import Registry
        from include.core.ml.sagemaker import deployment
        from include.domains.titanic.spec import TITANIC
        from spellbook.hooks.sagemaker import client

        new = deployment.Deployment(**made)
        asked = deployment.requests(Registry(Connection.get(mlflow_conn_id).host, MODEL), new.version)
        compare = settings.SAGEMAKER_COMPARE.read_bool()
        return deployment.ask(TITANIC, client(aws_conn_id, "sagemaker-runtime"), new, asked, compare=compare)

    @task
    def switch_endpoint(made: dict[str, Any], aws_conn_id: str) -> str | None:
        """Point callers to the new endpoint; return the name of the one that they used before."""
        from include.core.ml.sagemaker.deployment import Deployment
        from spellbook.hooks.sagemaker import bucket

        place, new = bucket(aws_conn_id, settings.SAGEMAKER_BUCKET.read(), MODEL), Deployment(**made)
        before = place.live()
        place.switch(new)
        return before.name if before and before.name != new.name else None

    @task
    def retire_endpoint(before: str | None, aws_conn_id: str) -> None:
        """Remove the old endpoint, if there was one."""
        from include.core.ml.sagemaker.deployment import remove
        from spellbook.hooks.sagemaker import client

        if before:
            remove(client(aws_conn_id, "sagemaker"), before)

    @task(trigger_rule="one_failed")
    def clean_up(made: dict[str, Any], aws_conn_id: str) -> None:
        """Remove what this run made, unless callers use it."""
        from include.core.ml.sagemaker.deployment import remove
        from spellbook.hooks.sagemaker import bucket, client

        live = bucket(aws_conn_id, settings.SAGEMAKER_BUCKET.read(), MODEL).live()
        if not live or live.name != made["name"]:
            remove(client(aws_conn_id, "sagemaker"), made["name"])

    made: Any = package_model("aws_default", "mlflow_default")
    invoked = invoke_endpoint(made, "aws_default", "mlflow_default")
    before: Any = switch_endpoint(made, "aws_default")
    chain(made, create_model, create_endpoint_config, create_endpoint, invoked, before)
    retire_endpoint(before, "aws_default")
    [create_model, create_endpoint_config, create_endpoint, invoked, before] >> clean_up(made, "aws_default")


sagemaker_deployment()
