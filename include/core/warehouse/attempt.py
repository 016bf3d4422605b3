"""Identifies the task attempt that writes, in fences, logs and session names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.core.warehouse.preview.model import LoadPreview

APPLICATION_NAME_BYTES = 63  # PostgreSQL truncates longer names
ACCEPT = "accept"
"""Param of a DAG: the reason for which the run publishes rows that its dataset's history contradicts."""
ACCEPT_LENGTH = (10, 500)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Attempt:
    """One try of one task instance.

    Attributes:
        dag_id: DAG of the task.
        task_id: the task.
        run_id: DAG run of the attempt.
        try_number: 1 for the first try; increases with each retry and each clear.
        map_index: index of a mapped task, -1 otherwise.
        run_started: when the run started. Attempts are ordered by it first, since a run that was deleted and recreated
            has the same id and starts again at try 1.
        accept: the run's param :data:`ACCEPT`.
        previews: where its loads are described, if they are rolled back; ``None`` for loads that are committed.
    """

    dag_id: str
    task_id: str
    run_id: str
    try_number: int
    map_index: int = -1
    run_started: datetime = EPOCH
    accept: str | None = None
    previews: list[LoadPreview] | None = field(default=None, compare=False)

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Attempt:
        """Read the attempt from the context of a running Airflow task; the run's param ``preview`` makes it a preview.

        In a DAG, use :func:`include.core.dag.publication`, which ends a preview.

        Raises:
            ConfigurationError: if the run's param ``accept`` isn't a reason; a DAG may lack the param and its schema.
        """
        task_instance = context["ti"]
        return cls(
            dag_id=task_instance.dag_id,
            task_id=task_instance.task_id,
            run_id=task_instance.run_id,
            try_number=task_instance.try_number,
            map_index=-1 if task_instance.map_index is None else task_instance.map_index,
            run_started=context["dag_run"].start_date or EPOCH,
            accept=_reason(context.get("params", {}).get(ACCEPT)),
            previews=[] if context.get("params", {}).get("preview") is True else None,
        )

    @property
    def identity(self) -> dict[str, str | int]:
        """Fields that all tries of the same task instance share."""
        return {"dag_id": self.dag_id, "task_id": self.task_id, "run_id": self.run_id, "map_index": self.map_index}

    @property
    def application_name(self) -> str:
        """Name for ``pg_stat_activity``: ``dag.task#try run``, at most 63 ASCII characters, the try never truncated."""
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        task = f"{self.dag_id}.{self.task_id}"[:40]
        name = f"{task}{mapped}#{self.try_number} {self.run_id}"
        return name.encode("ascii", "replace").decode()[:APPLICATION_NAME_BYTES]


def _reason(value: object) -> str | None:
    shortest, longest = ACCEPT_LENGTH
    if value is None:
        return None
    if isinstance(value, str) and shortest <= len(value.strip()) <= len(value) <= longest and value.isprintable():
        return value
    raise ConfigurationError(
        f"param {ACCEPT}: must be null, or a reason of {shortest} to {longest} printable characters"
    )
