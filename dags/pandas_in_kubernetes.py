"""Shopping sessions of a wholesaler's customers, worked out by pandas in a pod of its own.

## What
Checks the pod's specification, has a cluster run it without keeping a worker waiting, counts every row that went in,
and only then makes the result the one that readers see. The work is that of `big_data_spark`.

## Inputs
- order lines, CSV: `SPELLBOOK_RETAIL`, by default the recorded ones
- connection `kubernetes_default`
- the pod's template `include/domains/sessions/kubernetes/pod.yaml`, its image `SPELLBOOK_POD_IMAGE`
- param `gap_minutes`: how long a customer may pause within a session

## Outputs
- Parquet below `sessions/pandas/` in object storage; `current.json` there names the folder that counts
- asset `customer_sessions_pandas`

## On failure
The pod is deleted and its log is in the task's; the result before stands. See `docs/runbooks/pandas_in_kubernetes.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import (
    Asset,
    ObjectStoragePath,
    Param,
    dag,
    task,
)
from pendulum import datetime

from include.core import settings
from include.core.dag import storage_root
from include.core.tags import Tag
from include.domains.sessions import settings as sessions
from include.domains.sessions.rules import GAP_MINUTES


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"gap_minutes": Param(GAP_MINUTES, type="integer", minimum=1, maximum=1440, description="Longest pause.")},
    default_args={"owner": "data-platform"},
    tags=[Tag.KUBERNETES],
    doc_md=__doc__,
)
def pandas_in_kubernetes() -> None:
    """Check, run the pod, publish, clean up."""

    @task
    def check_arguments(**context: Any) -> dict[str, str]:
        """Refuse a pod that a cluster would refuse, and an input that pandas would; return the URLs for the pod."""
        from include.domains.sessions import checks, output
        from include.domains.sessions.kubernetes import spec

        spec.check(spec.from_template(str(sessions.POD_TEMPLATE), sessions.POD_IMAGE.read()))
        lines = ObjectStoragePath(settings.RETAIL.read())
        checks.demand(checks.input_problems(settings.RETAIL.name, lines))
        root = storage_root()
        return {
            "input": output.foreign_url(lines),
            "output": output.foreign_url(output.folder_of(root, "pandas", context["dag_run"].run_id)),
        }

    @task(outlets=[Asset("customer_sessions_pandas")])
    def publish(**context: Any) -> None:
        """Account for every row, and let readers see the result."""
        from include.domains.sessions import output

        root = storage_root()
        output.publish(output.folder_of(root, "pandas", context["dag_run"].run_id))

    @task(trigger_rule="all_done_setup_success")
    def clean_up(**context: Any) -> None:
        """Remove what the run wrote, unless it was published."""
        from include.domains.sessions import output

        root = storage_root()
        output.discard(output.folder_of(root, "pandas", context["dag_run"].run_id))

    checked = check_arguments()
    pandas_task = KubernetesPodOperator(
        task_id="pandas_task",
        kubernetes_conn_id="kubernetes_default",
        name="pandas-task",
        pod_template_file=str(sessions.POD_TEMPLATE),
        image=sessions.POD_IMAGE.read(),
        arguments=[
            "--input",
            checked["input"],
            "--output",
            "{{ ti.xcom_pull(task_ids='check_arguments')['output'] }}/try-{{ ti.try_number }}",
            "--gap-minutes",
            "{{ params.gap_minutes }}",
        ],
        deferrable=True,
        startup_timeout_seconds=300,
        on_finish_action="delete_pod",
        termination_message_policy="FallbackToLogsOnError",
        log_events_on_failure=True,
        log_pod_spec_on_failure=False,
        execution_timeout=timedelta(minutes=50),
    )
    pandas_task >> publish() >> clean_up().as_teardown(setups=checked)


pandas_in_kubernetes()
