"""What OpenLineage events say of a task: the tables and files that it reads and writes, and nothing that is in them.

Airflow imports this module only where a transport is configured, see ``docs/data-health.md``.
"""

from __future__ import annotations

import inspect
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow.providers.openlineage import conf
from airflow.providers.openlineage.extractors import BaseExtractor, OperatorLineage
from airflow.providers.openlineage.plugins.facets import AirflowRunFacet
from airflow.sdk import Asset
from openlineage.client.event_v2 import Dataset, RunEvent
from openlineage.client.facet_v2 import schema_dataset
from openlineage.client.transport.transform import EventTransformer
from typing_extensions import override

from include.core.dag import warehouse_uri
from include.core.settings import OBJECT_STORAGE, POSTGRES, WAREHOUSE_SCHEMA
from include.core.storage import file_name
from include.datasets import DATASETS
from include.settings import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openlineage.client.client import Event

LISTED = 100
"""The most files of one argument that are looked at."""
RETURNS_FILES = frozenset({"str", "list[str]", str(str)})
RUN_FACETS = frozenset({"airflow", "nominalTime", "parent", "processing_engine"})
JOB_FACETS = frozenset({"documentation", "jobType", "ownership", "tags"})
DATASET_FACETS = frozenset({"schema"})
RUN_FIELDS = frozenset({"dag_id", "run_id", "run_type"})
TRY_FIELDS = frozenset({"try_number", "map_index", "log_url"})


class TaskExtractor(BaseExtractor):
    """Tells tables from the assets of a task, APIs and files from what it is given and returns: see decision 4."""

    @classmethod
    @override
    def get_operator_classnames(cls) -> list[str]:
        return ["_PythonDecoratedOperator", "DbtOperator"]

    @override
    def _execute_extraction(self) -> OperatorLineage[Any, Any]:
        """Return nothing at the start of a task, whose end says it."""
        return OperatorLineage()

    @override
    def extract_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        task, run_id = self.operator, task_instance.run_id
        arguments = (*getattr(task, "op_args", ()), *getattr(task, "op_kwargs", {}).values())
        given = _files(arguments, run_id)
        returned = _files([_returned(task_instance, task)], run_id)
        return OperatorLineage(
            inputs=[*_of_assets(task.inlets), *_apis(arguments), *given.values()],
            outputs=[*_of_assets(task.outlets), *(returned[name] for name in returned.keys() - given.keys())],
        )


class WithoutData(EventTransformer):
    """Keeps the facets that are listed here: others have a run's conf, an error's text, source code or SQL."""

    @override
    def transform(self, event: Event) -> Event | None:
        if not isinstance(event, RunEvent):
            return None
        event.run.facets = _kept(event.run.facets, RUN_FACETS)
        event.job.facets = _kept(event.job.facets, JOB_FACETS)
        if isinstance(facet := event.run.facets.get("airflow"), AirflowRunFacet):
            facet.dag = facet.task = {}
            facet.dagRun = _kept(facet.dagRun, RUN_FIELDS)
            facet.taskInstance = _kept(facet.taskInstance, TRY_FIELDS)
        for dataset in (*(event.inputs or ()), *(event.outputs or ())):
            dataset.facets = _kept(dataset.facets, DATASET_FACETS)
        return event


def tables(names: Iterable[str], schema: str | None = None) -> Iterator[Dataset]:
    """Yield tables of the warehouse, with their columns if they are declared.

    Args:
        names: names of tables.
        schema: their schema; default: that of all declared tables.
    """
    uri = urlsplit(warehouse_uri(POSTGRES.conn_id))
    database = unquote(uri.path.removeprefix("/"))
    declared = {} if schema else {dataset.name: dataset for dataset in DATASETS}
    for name in names:
        columns = declared[name].columns if name in declared else ()
        fields = [schema_dataset.SchemaDatasetFacetFields(each.name, each.type, each.doc) for each in columns]
        yield Dataset(
            f"postgres://{uri.hostname}:{uri.port or 5432}",
            f"{database}.{schema or WAREHOUSE_SCHEMA.read()}.{name}",
            facets={"schema": schema_dataset.SchemaDatasetFacet(fields)} if fields else {},
        )


def _of_assets(objects: Iterable[object]) -> Iterator[Dataset]:
    names = [each.name for each in objects if isinstance(each, Asset)]
    declared = {dataset.name for dataset in DATASETS}
    yield from (Dataset(conf.namespace(), name) for name in names if name not in declared)
    if stored := [name for name in names if name in declared]:
        yield from tables(stored)


def _apis(values: Iterable[object]) -> Iterator[Dataset]:
    upstreams = {connection.conn_id for connection in CONNECTIONS if connection.service == "upstreams"}
    yield from (Dataset(conf.namespace(), value) for value in values if isinstance(value, str) and value in upstreams)


def _files(values: Iterable[object], run_id: str) -> dict[str, Dataset]:
    """Return the folders of the files in object storage that values refer to, by URL; those of a run or day are one."""
    root = OBJECT_STORAGE.read().rstrip("/")
    listed = chain.from_iterable(value[:LISTED] if isinstance(value, (list, tuple)) else [value] for value in values)
    folders = {}
    for url in listed:
        if isinstance(url, str) and url.startswith(f"{root}/"):
            *parts, _ = url.removeprefix(f"{root}/").split("/")
            shared = takewhile(lambda part: "=" not in part and part != file_name(run_id), parts)
            folder = "/".join((root, *shared))
            folders[folder] = Dataset(*_names(folder))
    return folders


def _names(url: str) -> tuple[str, str]:
    """Return namespace and name by OpenLineage's conventions: ``file`` and a path, or a bucket and a key."""
    scheme, _, path = url.partition("://")
    if scheme == "file":
        return scheme, path
    bucket, _, key = path.rpartition("@")[2].partition("/")
    return f"{scheme}://{bucket}", key


def _returned(task_instance: Any, task: Any) -> object:
    """Return what a task has returned, if its signature says that it may be files."""
    function = getattr(task, "python_callable", None)
    if not function or str(inspect.signature(function).return_annotation) not in RETURNS_FILES:
        return None
    return task_instance.xcom_pull(task_ids=task_instance.task_id, map_indexes=task_instance.map_index)


def _kept(facets: dict[str, Any] | None, names: frozenset[str]) -> dict[str, Any]:
    return {name: facet for name, facet in (facets or {}).items() if name in names}
