"""Computes the shopping sessions of a wholesaler's customers with pandas, in a Kubernetes pod.

## What
Checks the pod's specification, runs the pod without occupying a worker, verifies that every input row is accounted for,
and only then publishes the result. The computation is the same as in `big_data_spark`.

## Inputs
- order lines, CSV: `SPELLBOOK_RETAIL`, by default the recorded data
- connection `kubernetes_default`
- the pod template `include/domains/sessions/kubernetes/pod.yaml`, the image `SPELLBOOK_POD_IMAGE`
- param `gap_minutes`: the longest pause within a session

## Outputs
- Parquet below `sessions/pandas/` in object storage; `current.json` names the folder of the published result
- asset `customer_sessions_pandas`

## On failure
The pod is deleted, its log is in the task's log, and the previous result remains. See
`docs/runbooks/pandas_in_kubernetes.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import Asset, ObjectStoragePath, dag, task
from pendulum import datetime

from include.core import settings
from include.core.tags import Tag
from include.domains.sessions import settings as sessions
from include.domains.sessions.tasks import PARAMS, clean_up, program_arguments, publish, run_folder


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args={"owner": "data-platform"},
    tags=[Tag.KUBERNETES],
    doc_md=__doc__,
)
def pandas_in_kubernetes() -> None:
    """Check, run the pod, publish, clean up."""

    @task
    def check_arguments(**context: Any) -> dict[str, str]:
        """Reject an invalid pod specification or input; return the URLs for the pod."""
        from include.domains.sessions import checks, output
        from include.domains.sessions.kubernetes import spec

        spec.check(spec.from_template(str(sessions.POD_TEMPLATE), sessions.POD_IMAGE.read()))
        lines = ObjectStoragePath(settings.RETAIL.read())
        checks.raise_problems(checks.input_problems(settings.RETAIL.name, lines))
        return {"input": output.plain_url(lines), "output": output.plain_url(run_folder("pandas", context))}

    checked = check_arguments()
    pandas_task = KubernetesPodOperator(
        task_id="pandas_task",
        kubernetes_conn_id="kubernetes_default",
        name="pandas-task",
        pod_template_file=str(sessions.POD_TEMPLATE),
        image=sessions.POD_IMAGE.read(),
        arguments=program_arguments(checked),
        deferrable=True,
        startup_timeout_seconds=300,
        on_finish_action="delete_pod",
        termination_message_policy="FallbackToLogsOnError",
        log_events_on_failure=True,
        log_pod_spec_on_failure=False,
        execution_timeout=timedelta(minutes=50),
    )
    published = publish.override(outlets=[Asset("customer_sessions_pandas")])("pandas")
    pandas_task >> published >> clean_up("pandas").as_teardown(setups=checked)


pandas_in_kubernetes()
