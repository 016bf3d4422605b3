"""SageMaker's operators of the amazon provider, imported when they run and made safe to try again.

Importing them costs seconds of every parse of a DAG file, so these stand in for them until then. And a try whose answer
got lost has created what the next one is refused: here that counts as done, since the name holds the model's checksum
and the run, so that the same name means the same content.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from include.core.ml.sagemaker.errors import ExistsAlreadyError, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

BOTOCORE = {"retries": {"mode": "standard", "max_attempts": 5}}


class SageMakerOperator(BaseOperator):
    """Runs the provider's operator :attr:`provided` with ``config``.

    Args:
        config: what the SageMaker call takes; templated.
        aws_conn_id: AWS connection.
        options: further arguments of the provider's operator.
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
        """Create, unless it exists.

        Raises:
            ThrottledError: if AWS asks for fewer calls.
            RefusedCallError: if AWS refuses.
        """
        try:
            with translated(self.task_id):
                self.operator().execute(context)
        except ExistsAlreadyError:
            self.log.info("%s exists: an earlier try made it", self.task_id)

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
    """Creates the model, once."""

    provided = "SageMakerModelOperator"


class CreateEndpointConfigOperator(SageMakerOperator):
    """Creates the endpoint's configuration, once."""

    provided = "SageMakerEndpointConfigOperator"


class CreateEndpointOperator(SageMakerOperator):
    """Creates the endpoint, once, and waits for it without a worker; one that an earlier try began is waited for."""

    provided = "SageMakerEndpointOperator"

    def execute(self, context: Context) -> None:
        """Create, unless it is being created, and wait.

        Raises:
            ThrottledError: if AWS asks for fewer calls.
            RefusedCallError: if AWS refuses.
        """
        name = self.config["EndpointName"]
        operator = self.operator()
        with translated(self.task_id):
            found = operator.hook.conn.list_endpoints(NameContains=name)["Endpoints"]
        if not any(one["EndpointName"] == name for one in found):
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
        """Go on once the endpoint is in service.

        Raises:
            AirflowException: if it isn't.
        """
        with translated(self.task_id):
            self.operator().execute_complete(context, event)
