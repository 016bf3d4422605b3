"""Files as datasets, and what is left of an event."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.openlineage.plugins.facets import AirflowRunFacet
from openlineage.client.event_v2 import Dataset, Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import error_message_run, sql_job

from include.core.settings import OBJECT_STORAGE
from spellbook.lineage import TaskExtractor, WithoutData

RUN_ID = "manual__2024-06-01T00:00:00+00:00"


def extracted(function: Any, returned: object = None, *arguments: object) -> tuple[set[str], set[str]]:
    """Return the inputs and outputs of a task as namespace and name."""
    task = SimpleNamespace(python_callable=function, op_args=arguments, op_kwargs={}, inlets=[], outlets=[])
    instance = SimpleNamespace(run_id=RUN_ID, task_id="t", map_index=-1, xcom_pull=lambda **_: returned)
    lineage = TaskExtractor(task).extract_on_complete(instance)
    inputs, outputs = ({f"{each.namespace} {each.name}" for each in side} for side in (lineage.inputs, lineage.outputs))
    return inputs, outputs


@pytest.mark.parametrize(
    ("root", "namespace", "above"),
    [
        ("file:///srv/a@b/storage", "file", "/srv/a@b/storage"),
        ("s3://aws_default@bucket/storage", "s3://bucket", "storage"),
    ],
)
def test_files_are_the_folder_that_all_runs_share(
    monkeypatch: pytest.MonkeyPatch, root: str, namespace: str, above: str
) -> None:
    monkeypatch.setenv(OBJECT_STORAGE.name, root)

    def transform(raw: str) -> list[str]:
        raise NotImplementedError(raw)

    given = f"{root}/weather/raw/day=2024-06-01/{RUN_ID}.json"
    returned = [f"{root}/handoff/etl/manual__2024-06-01T00-00-00-00-00/a.parquet", given, "s3://elsewhere/b"]
    assert extracted(transform, returned, given, "weather_default", "postgres://host/database") == (
        {f"{namespace} {above}/weather/raw", "spellbook weather_default"},
        {f"{namespace} {above}/handoff/etl"},
    )


def test_only_a_task_that_may_return_files_is_asked_for_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OBJECT_STORAGE.name, "file:///srv")
    assert extracted(lambda: None, "file:///srv/a/b") == (set(), set())


def test_what_may_have_data_is_left_out() -> None:
    fields: dict[str, Any] = {"run_id": RUN_ID, "conf": {"name": "Ada"}, "note": "Ada"}
    airflow = AirflowRunFacet(dag={}, dagRun=fields, task={"sql": "Ada"}, taskInstance={"note": "Ada"}, taskUuid="u")
    error = error_message_run.ErrorMessageRunFacet("line 3: Ada is no number", "python", "Ada")
    event = RunEvent(
        eventTime="2024-06-01T00:00:00Z",
        eventType=RunState.FAIL,
        run=Run("3f5e83fa-3480-44ff-99c5-ff943904e5e8", {"airflow": airflow, "errorMessage": error}),
        job=Job("spellbook", "etl.load", {"sql": sql_job.SQLJobFacet("SELECT 'Ada'")}),
        outputs=[Dataset("postgres://host:5432", "db.public.names")],  # type: ignore[list-item]
    )
    sent = WithoutData({}).transform(event)
    assert isinstance(sent, RunEvent)
    assert "Ada" not in repr(sent)
    assert sent.run.facets
    assert sent.run.facets["airflow"].dagRun == {"run_id": RUN_ID}  # type: ignore[attr-defined]
    assert sent.outputs
