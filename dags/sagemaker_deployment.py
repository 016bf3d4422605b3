"""Deploys the champion model to Amazon SageMaker.

## What
Packages the registered champion, creates a new endpoint beside the old one, tests it with real requests, switches
callers to it, and only then removes the old one (blue-green deployment).

## Inputs
- the champion of the registered model `titanic`, connection `mlflow_default`; its checksum, `postgres_default`
- connection `aws_default`; `SPELLBOOK_SAGEMAKER_BUCKET`, `…_ROLE`, `…_IMAGE`, `…_INSTANCE`

## Outputs
- a SageMaker model, endpoint configuration and endpoint with the same name, made of version, checksum and run
- `sagemaker/titanic/live.json` in the bucket: the name of the endpoint to call

## On failure
The resources that this run created are removed, and the old endpoint keeps serving. See
`docs/runbooks/sagemaker_deployment.md`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow.sdk import Asset, Connection, chain, dag, task
from pendulum import datetime

from include.core.dag import warehouse_uri
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
    """Package, create, test, switch, retire."""

    @task(inlets=[Asset("titanic_model")])
    def package_model(aws_conn_id: str, mlflow_conn_id: str, postgres_conn_id: str, **context: Any) -> dict[str, Any]:
        """Upload the champion as model.tar.gz; return the names of this run's resources."""
        from include.core.ml.registry import Registry
        from include.core.ml.sagemaker import deployment
        from include.core.ml.tracking import Server
        from include.domains.titanic.spec import TITANIC
        from spellbook.hooks.sagemaker import AwsClientHook

        registry = Registry(Server.of(Connection.get(mlflow_conn_id)), MODEL, partial(warehouse_uri, postgres_conn_id))
        s3 = AwsClientHook(aws_conn_id, "s3").get_conn()
        bucket = deployment.Bucket.ensure(s3, settings.SAGEMAKER_BUCKET.read(), MODEL)
        return deployment.package(TITANIC, registry, bucket, context["dag_run"].run_id).model_dump()

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
    def invoke_endpoint(package: dict[str, Any], aws_conn_id: str, mlflow_conn_id: str, postgres_conn_id: str) -> str:
        """Test the new endpoint with real requests."""
        from include.core.ml.registry import Registry
        from include.core.ml.sagemaker import deployment
        from include.core.ml.tracking import Server
        from include.domains.titanic.spec import TITANIC
        from spellbook.hooks.sagemaker import AwsClientHook

        new = deployment.Deployment(**package)
        registry = Registry(Server.of(Connection.get(mlflow_conn_id)), MODEL, partial(warehouse_uri, postgres_conn_id))
        requests = deployment.requests(registry, new.version)
        compare = settings.SAGEMAKER_COMPARE.read_bool()
        return deployment.verify(
            TITANIC, AwsClientHook(aws_conn_id, "sagemaker-runtime").get_conn(), new, requests, compare=compare
        )

    @task
    def switch_endpoint(package: dict[str, Any], aws_conn_id: str) -> str | None:
        """Switch callers to the new endpoint; return the name of the previous one."""
        from include.core.ml.sagemaker.deployment import Bucket, Deployment
        from spellbook.hooks.sagemaker import AwsClientHook

        s3 = AwsClientHook(aws_conn_id, "s3").get_conn()
        bucket, new = Bucket.ensure(s3, settings.SAGEMAKER_BUCKET.read(), MODEL), Deployment(**package)
        previous = bucket.live()
        bucket.switch(new)
        return previous.name if previous and previous.name != new.name else None

    @task
    def retire_endpoint(previous: str | None, aws_conn_id: str) -> None:
        """Remove the previous endpoint, if there was one."""
        from include.core.ml.sagemaker.deployment import remove
        from spellbook.hooks.sagemaker import AwsClientHook

        if previous:
            remove(AwsClientHook(aws_conn_id, "sagemaker").get_conn(), previous)

    @task(trigger_rule="one_failed")
    def clean_up(package: dict[str, Any], aws_conn_id: str) -> None:
        """Remove the resources that this run created, unless they are live."""
        from include.core.ml.sagemaker.deployment import Bucket, remove
        from spellbook.hooks.sagemaker import AwsClientHook

        s3 = AwsClientHook(aws_conn_id, "s3").get_conn()
        live = Bucket.ensure(s3, settings.SAGEMAKER_BUCKET.read(), MODEL).live()
        if not live or live.name != package["name"]:
            remove(AwsClientHook(aws_conn_id, "sagemaker").get_conn(), package["name"])

    package: Any = package_model("aws_default", "mlflow_default", "postgres_default")
    invoked = invoke_endpoint(package, "aws_default", "mlflow_default", "postgres_default")
    previous: Any = switch_endpoint(package, "aws_default")
    chain(package, create_model, create_endpoint_config, create_endpoint, invoked, previous)
    retire_endpoint(previous, "aws_default")
    [create_model, create_endpoint_config, create_endpoint, invoked, previous] >> clean_up(package, "aws_default")


sagemaker_deployment()
