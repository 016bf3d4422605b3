"""Params, program arguments and tasks shared by the DAGs of both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, task

from include.core.dag import storage_root
from include.domains.sessions.rules import GAP_MINUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.core.storage import File

PARAMS = {
    "gap_minutes": Param(
        GAP_MINUTES, type="integer", minimum=1, maximum=1440, description="Longest pause within a session, in minutes."
    )
}


def run_folder(engine: str, context: Mapping[str, Any]) -> File:
    """Return the folder that contains the attempts of a run."""
    from include.domains.sessions import output

    return output.folder_of(storage_root(), engine, context["dag_run"].run_id)


def program_arguments(checked: Any) -> list[Any]:
    """Return the program's arguments; ``checked`` is the result of ``check_arguments``, with both URLs."""
    return [
        "--input",
        checked["input"],
        "--output",
        "{{ ti.xcom_pull(task_ids='check_arguments')['output'] }}/try-{{ ti.try_number }}",
        "--gap-minutes",
        "{{ params.gap_minutes }}",
    ]


@task
def publish(engine: str, **context: Any) -> None:
    """Verify that every input row is accounted for, and publish the result."""
    from include.domains.sessions import output

    output.publish(run_folder(engine, context))


@task(trigger_rule="all_done_setup_success")
def clean_up(engine: str, **context: Any) -> None:
    """Remove the run's files, unless they were published."""
    from include.domains.sessions import output

    output.discard(run_folder(engine, context))
