"""Wrappers of the amazon provider's SageMaker operators that are imported lazily and safe to retry.

Importing the provider's operators would add seconds to every parse of a DAG file. If the response of a create call is
lost, a retry finds that the resource exists already: that counts as success, because the name contains the model's
checksum and the run, so equal names mean equal content.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from include.core.ml.sagemaker.errors import AlreadyExistsError, translate_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

BOTOCORE = {"retries": {"mode": "standard", "max_attempts": 5}}


class SageMakerOperator(BaseOperator):
    """Runs the provider's operator :attr:`provided` with ``config``.

    Args:
        config: request of the SageMaker call; templated.
        aws_conn_id: AWS connection.
        options: additional arguments of the provider's operator.
    """

    template_fields: Sequence[str] = ("config",)
    provided: ClassVar[str]

    def __init__(
        self, *, config: dict[str, Any], aws_conn_id: str, options: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.aws_conn_id = aws_conn_id
        self.options = options or {}

    def execute(self, context: Context) -> None:
        """Create the resource, unless it exists.

        Raises:
            ThrottledError: if AWS throttles the call.
            RefusedCallError: if AWS rejects the call.
        """
        try:
            with translate_errors(self.task_id):
                self.operator().execute(context)
        except AlreadyExistsError:
            self.log.info("%s exists already: an earlier try created it", self.task_id)

    def operator(self) -> Any:
        """Return the provider's operator."""
        from airflow.providers.amazon.aws.operators import sagemaker

        return getattr(sagemaker, self.provided)(
            task_id=self.task_id,
            config=self.config,
            aws_conn_id=self.aws_conn_id,
            botocore_config=BOTOCORE,
            **self.options,
        )


class CreateModelOperator(SageMakerOperator):
    """Creates the model, if it doesn't exist."""

    provided = "SageMakerModelOperator"


class CreateEndpointConfigOperator(SageMakerOperator):
    """Creates the endpoint configuration, if it doesn't exist."""

    provided = "SageMakerEndpointConfigOperator"


class CreateEndpointOperator(SageMakerOperator):
    """Creates the endpoint, if it doesn't exist, and waits without a worker until it is in service."""

    provided = "SageMakerEndpointOperator"

    def execute(self, context: Context) -> None:
        """Create the endpoint, unless it exists, and wait for it.

        Raises:
            ThrottledError: if AWS throttles the call.
            RefusedCallError: if AWS rejects the call.
        """
        name = self.config["EndpointName"]
        operator = self.operator()
        with translate_errors(self.task_id):
            endpoints = operator.hook.conn.list_endpoints(NameContains=name)["Endpoints"]
        if not any(endpoint["EndpointName"] == name for endpoint in endpoints):
            super().execute(context)
            return
        from airflow.providers.amazon.aws.triggers.sagemaker import SageMakerTrigger

        self.defer(
            trigger=SageMakerTrigger(
                job_name=name,
                job_type="endpoint",
                waiter_delay=operator.check_interval,
                aws_conn_id=self.aws_conn_id,
                botocore_config=BOTOCORE,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=operator.max_ingestion_time),
        )

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Finish when the endpoint is in service.

        Raises:
            AirflowException: if it isn't.
        """
        with translate_errors(self.task_id):
            self.operator().execute_complete(context, event)
