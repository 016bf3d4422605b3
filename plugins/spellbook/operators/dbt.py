"""Operators that run dbt, and the task group with the results of each model in ``include/dbt``."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, TaskGroup
from typing_extensions import override

from include.core.dag import publication, storage_root, warehouse_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.standard.hooks.subprocess import SubprocessHook
    from airflow.sdk import Context

    from include.core.warehouse.preview.model import LoadPreview

REPORTED = "reported_invocation"


class DbtOperator(BaseOperator):
    """Runs several dbt commands in one process; the error names the nodes that failed.

    The artifacts are stored in object storage, in ``dbt/<dag>/<run>/<task>/<try>/``.

    Args:
        commands: the commands with their options, such as ``[["run"], ["test", "--select", "daily_sales"]]``.
        schema: schema of the marts, and prefix of the schemas of other layers.
        postgres_conn_id: connection of type postgres; its role must be allowed to create schemas.
        project: folder of the dbt project; default: ``include/dbt``, whose profile every project uses.
    """

    template_fields: Sequence[str] = ("commands", "schema", "postgres_conn_id")
    ui_color = "#ffddcc"

    def __init__(
        self,
        *,
        commands: Sequence[Sequence[str]],
        schema: str,
        postgres_conn_id: str = "postgres_default",
        project: Path | str | None = None,
        pool: str = "database_access",
        **kwargs: Any,
    ) -> None:
        super().__init__(pool=pool, **kwargs)
        self.commands = commands
        self.schema = schema
        self.postgres_conn_id = postgres_conn_id
        self.project = project
        self.running: SubprocessHook | None = None

    @override
    def execute(self, context: Context) -> Any:
        """Run the commands.

        Raises:
            DbtTestError: if a test failed, or a source isn't fresh.
            DbtError: for other failures.
        """
        with tempfile.TemporaryDirectory(prefix="dbt-") as name:
            folder = Path(name)
            exit_code = self._run(folder, context)
            return self.check_results(folder, exit_code)

    def check_results(self, folder: Path, exit_code: int) -> Any:
        """Raise the failures in the artifacts in ``folder``."""
        from include.domains.analytics import results
        from include.domains.analytics.results import DbtError

        nodes = results.nodes(folder)
        results.raise_failures([*results.sources(folder), *(nodes.values() or results.errors(folder))])
        if exit_code:
            raise DbtError(f"dbt ended with exit code {exit_code}; see its messages in the task's log")

    @override
    def on_kill(self) -> None:
        """Terminate dbt, which cancels its queries."""
        if self.running is not None:
            self.running.send_sigterm()

    def _run(self, folder: Path, context: Context) -> int:
        """Run dbt in ``folder``, store its artifacts, and return its exit code."""
        from include.core import storage
        from include.domains.analytics.invocation import restore_partial_parse, store_artifacts

        ti = context["ti"]
        root = storage_root() / "dbt"
        home = root / storage.file_name(ti.dag_id)
        restore_partial_parse(home, folder)
        exit_code = self.run_dbt(folder, self.commands, self.schema)
        task = storage.task_file_name(ti.task_id, ti.map_index)
        destination = home / storage.file_name(context["run_id"]) / task / str(ti.try_number)
        store_artifacts(folder, destination, docs=root / "docs", cache=home)
        self.log.info("artifacts are stored in %s", destination)
        return exit_code

    def run_dbt(self, folder: Path, commands: Sequence[Sequence[str]], schema: str) -> int:
        """Run dbt commands in ``folder``, and return the exit code."""
        from airflow.providers.standard.hooks.subprocess import SubprocessHook

        from include.domains.analytics.invocation import command_line, environment

        self.running = SubprocessHook()
        variables = environment(warehouse_uri(self.postgres_conn_id), schema)
        command = command_line(commands, folder, self.project)
        exit_code: int = self.running.run_command(command, variables, cwd=str(folder)).exit_code
        return exit_code


class DbtBuildOperator(DbtOperator):
    """Checks that the sources are fresh, builds and tests all nodes, and writes the documentation, in one start of dbt.

    A preview builds and tests the marts in a scratch schema, which is compared with the published one and dropped.

    It fails if a source isn't fresh, or dbt can't run. A failed node is reported by its own task, see
    :func:`node_tasks`, which reads the returned ``{"invocation", "nodes": {unique id: name, status and message}}``.
    """

    def __init__(self, **kwargs: Any) -> None:
        commands = [["source", "freshness"], ["build"], ["docs", "generate", "--no-compile", "--static"]]
        super().__init__(commands=commands, **kwargs)

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any]:
        """Return the tables that the project reads, and its marts; Airflow calls this by its name."""
        del task_instance
        from airflow.providers.openlineage.extractors import OperatorLineage

        from include.domains.analytics import SOURCES
        from include.domains.analytics.manifest import mart_names
        from spellbook.lineage import tables

        return OperatorLineage(inputs=[*tables(SOURCES)], outputs=[*tables(mart_names(), self.schema)])

    @override
    def execute(self, context: Context) -> Any:
        """Build and test all nodes; see :class:`DbtOperator`.

        Raises:
            AirflowSkipException: at the end of a preview.
        """
        with publication(context) as attempt:
            if attempt.previews is None:
                return super().execute(context)
            attempt.previews.extend(self._preview())
        return None

    def _preview(self) -> list[LoadPreview]:
        from include.domains.analytics.preview import COMMANDS, compare_marts, scratch_schema

        uri = warehouse_uri(self.postgres_conn_id)
        with tempfile.TemporaryDirectory(prefix="dbt-") as name, scratch_schema(uri, self.schema) as scratch:
            folder = Path(name)
            super().check_results(folder, self.run_dbt(folder, COMMANDS, scratch))
            return compare_marts(uri, self.schema, scratch, folder)

    @override
    def check_results(self, folder: Path, exit_code: int) -> dict[str, Any]:
        """Return each node's outcome; raise failures that no other task reports, such as a source's test."""
        from include.domains.analytics import results
        from include.domains.analytics.manifest import built_nodes

        nodes = results.nodes(folder)
        if all(node.status in results.GOOD for node in nodes.values()):
            super().check_results(folder, exit_code)
        covered = {unique_id for node in built_nodes() for unique_id in (*node.run, *node.tests.values())}
        results.raise_failures(node for unique_id, node in nodes.items() if unique_id not in covered)
        return {
            "invocation": results.invocation(folder),
            "nodes": {unique_id: asdict(node) for unique_id, node in nodes.items()},
        }


class DbtNodeOperator(DbtOperator):
    """Reports a build's outcome of some nodes; runs dbt itself if the build has no new outcome for them.

    That is the case if the task is retried or cleared without a new build, or if the build skipped the nodes because an
    upstream node had failed.

    Args:
        nodes: unique ids of the nodes.
        build_task_id: task of the :class:`DbtBuildOperator`.
    """

    template_fields: Sequence[str] = (*DbtOperator.template_fields, "nodes", "build_task_id")

    def __init__(self, *, nodes: Sequence[str], build_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nodes = nodes
        self.build_task_id = build_task_id

    @override
    def execute(self, context: Context) -> Any:
        """Raise failures of the nodes; see :class:`DbtOperator`."""
        from include.domains.analytics import results

        state = context["task_state_store"]
        build = context["ti"].xcom_pull(task_ids=self.build_task_id)
        outcomes = results.outcomes_of(build, self.nodes, state.get(REPORTED))
        if not outcomes:
            return super().execute(context)
        state.set(REPORTED, build["invocation"])
        for outcome in outcomes:
            self.log.info("%s: %s: %s", outcome.name, outcome.status, outcome.message)
        results.raise_failures(outcomes)
        return None


def node_tasks(group_id: str, build: DbtBuildOperator) -> TaskGroup:
    """Return a task group with a task for each model and snapshot that ``build`` builds, followed by its tests.

    It is based on the manifest beside the project, so parsing needs neither dbt nor a database.
    """
    from include.domains.analytics.manifest import built_nodes

    common = {
        "schema": build.schema,
        "postgres_conn_id": build.postgres_conn_id,
        "pool": build.pool,
        "build_task_id": build.task_id,
    }
    runs: dict[str, DbtNodeOperator] = {}
    ends: dict[str, DbtNodeOperator] = {}
    with TaskGroup(group_id) as group:
        for node in built_nodes():
            with TaskGroup(node.name):
                run = DbtNodeOperator(
                    task_id="run",
                    nodes=node.run,
                    commands=[["build", "--select", node.name, "--exclude-resource-type", "test"]],
                    **common,
                )
                [ends[other] for other in node.needs] >> run
                runs[node.unique_id] = ends[node.unique_id] = run
                if node.tests:
                    test = ends[node.unique_id] = DbtNodeOperator(
                        task_id="test",
                        nodes=sorted(node.tests.values()),
                        commands=[["test", "--select", *sorted(node.tests)]],
                        **common,
                    )
                    [run, *(runs[other] for other in node.tested_with)] >> test
    build >> group
    return group
