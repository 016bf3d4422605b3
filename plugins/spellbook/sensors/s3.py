"""A wrapper of the amazon provider's S3KeySensor, imported lazily: boto3 would add seconds to every parse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class S3FileSensor(BaseSensorOperator):
    """Waits without a worker until an object exists; also takes ``timeout``, ``soft_fail`` and other sensor arguments.

    Args:
        bucket_name: bucket.
        bucket_key: key of the object; templated.
        aws_conn_id: AWS connection.
    """

    template_fields: Sequence[str] = ("bucket_key",)

    def __init__(self, *, bucket_name: str, bucket_key: str, aws_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket_name = bucket_name
        self.bucket_key = bucket_key
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        """Check once, then defer."""
        self._sensor().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Finish when the object exists; fail with the trigger's message if the check failed."""
        self._sensor().execute_complete(context, event)

    def _sensor(self) -> Any:
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor

        return S3KeySensor(
            task_id=self.task_id,
            bucket_name=self.bucket_name,
            bucket_key=self.bucket_key,
            aws_conn_id=self.aws_conn_id,
            timeout=self.timeout,
            poke_interval=self.poke_interval,
            deferrable=True,
        )
