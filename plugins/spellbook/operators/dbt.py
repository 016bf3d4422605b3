"""The dbt project of ``include/dbt``: one start of dbt for all of it, and a task for each model and its tests."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, TaskGroup
from typing_extensions import override

from include.core.dag import storage_root, warehouse_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.standard.hooks.subprocess import SubprocessHook
    from airflow.sdk import Context

JUDGED = "judged_invocation"


class DbtOperator(BaseOperator):
    """Runs dbt commands one after another in one process, and fails with the names of what failed.

    What dbt left behind is kept in object storage, in ``dbt/<dag>/<run>/<task>/<try>/``.

    Args:
        commands: the commands with their options, such as ``[["run"], ["test", "--select", "daily_sales"]]``.
        schema: where marts go; the schemas of other layers begin with this name.
        postgres_conn_id: connection of type postgres; its role must be allowed to create schemas.
    """

    template_fields: Sequence[str] = ("commands", "schema", "postgres_conn_id")
    ui_color = "#ffddcc"

    def __init__(
        self,
        *,
        commands: Sequence[Sequence[str]],
        schema: str,
        postgres_conn_id: str = "postgres_default",
        pool: str = "database_access",
        **kwargs: Any,
    ) -> None:
        super().__init__(pool=pool, **kwargs)
        self.commands = commands
        self.schema = schema
        self.postgres_conn_id = postgres_conn_id
        self.running: SubprocessHook | None = None

    @override
    def execute(self, context: Context) -> Any:
        """Run the commands.

        Raises:
            DbtTestError: if data broke a test, or a source isn't fresh.
            DbtError: if something else went wrong.
        """
        with tempfile.TemporaryDirectory(prefix="dbt-") as name:
            folder = Path(name)
            exit_code = self._run(folder, context)
            return self.judge(folder, exit_code)

    def judge(self, folder: Path, exit_code: int) -> Any:
        """Raise the failures that ``folder`` tells of."""
        from include.domains.analytics import results
        from include.domains.analytics.errors import DbtError

        nodes = results.nodes(folder)
        results.judge([*results.sources(folder), *(nodes.values() or results.errors(folder))])
        if exit_code:
            raise DbtError(f"dbt ended with exit code {exit_code}; the task's log has its messages")

    @override
    def on_kill(self) -> None:
        """End dbt, which cancels its queries."""
        if self.running is not None:
            self.running.send_sigterm()

    def _run(self, folder: Path, context: Context) -> int:
        """Run dbt, keep what it leaves in ``folder``, and return its exit code."""
        from airflow.providers.standard.hooks.subprocess import SubprocessHook

        from include.core import storage
        from include.domains.analytics.invocation import command_line, environment, keep, reuse_parsed

        ti = context["ti"]
        root = storage_root() / "dbt"
        reuse_parsed(root / ti.dag_id, folder)
        self.running = SubprocessHook()
        exit_code: int = self.running.run_command(
            command_line(self.commands, folder),
            environment(warehouse_uri(self.postgres_conn_id), self.schema),
            cwd=str(folder),
        ).exit_code
        place = root.joinpath(ti.dag_id, storage.file_name(context["run_id"]), ti.task_id, str(ti.try_number))
        keep(folder, place, docs=root / "docs", cache=root / ti.dag_id)
        self.log.info("artifacts are kept in %s", place)
        return exit_code


class DbtBuildOperator(DbtOperator):
    """Checks that the sources are fresh, builds and tests all nodes, and writes the documentation, in one start of dbt.

    It fails if a source isn't fresh, or dbt can't do its work. A node that fails is for its own task to tell, which
    :func:`node_tasks` makes; to these it returns ``{"invocation", "nodes": {unique id: name, status and message}}``.
    """

    def __init__(self, **kwargs: Any) -> None:
        commands = [["source", "freshness"], ["build"], ["docs", "generate", "--no-compile", "--static"]]
        super().__init__(commands=commands, **kwargs)

    @override
    def judge(self, folder: Path, exit_code: int) -> dict[str, Any]:
        """Return what became of each node; raise what no other task tells, such as a source's test that failed."""
        from include.domains.analytics import results
        from include.domains.analytics.manifest import built_nodes

        nodes = results.nodes(folder)
        if all(node.status in results.GOOD for node in nodes.values()):
            super().judge(folder, exit_code)
        with_task = {unique_id for node in built_nodes() for unique_id in (*node.run, *node.tests.values())}
        results.judge(node for unique_id, node in nodes.items() if unique_id not in with_task)
        return {
            "invocation": results.invocation(folder),
            "nodes": {unique_id: asdict(node) for unique_id, node in nodes.items()},
        }


class DbtNodeOperator(DbtOperator):
    """Tells what a build made of some nodes; where it has no news of them, runs them by commands of its own.

    A task that is tried again or cleared runs dbt, unless the build was run again too, and so does one whose nodes the
    build left out because something before them had failed.

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
        """Raise what went wrong; see :class:`DbtOperator`."""
        from include.domains.analytics import results

        state = context["task_state_store"]
        build = context["ti"].xcom_pull(task_ids=self.build_task_id)
        outcomes = results.reported(build, self.nodes, state.get(JUDGED))
        if not outcomes:
            return super().execute(context)
        state.set(JUDGED, build["invocation"])
        for outcome in outcomes:
            self.log.info("%s: %s: %s", outcome.name, outcome.status, outcome.message)
        results.judge(outcomes)
        return None


def node_tasks(group_id: str, build: DbtBuildOperator) -> TaskGroup:
    """Return the group of every model and snapshot that ``build`` builds, the tests of each right after it.

    It is made of the manifest beside the project, so a parse needs neither dbt nor a database.
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
