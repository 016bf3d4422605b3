"""What ``make run JSON=1`` prints: docs/run.schema.json, which stays compatible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from devstack import outputs
from devstack.environment import Upstream
from devstack.exits import Exit
from devstack.report import Outcome, skip_reason
from devstack.state import REPOSITORY, State
from devstack.trigger import Kind
from include.core.warehouse.preview.model import Strict
from include.ops.alerts.runbooks import runbook_of

ENDINGS = [code.name.lower() for code in Exit]
RUN_AGAIN = "fix it and run the same command again: a repeated run creates no duplicate rows"
NO_TASK = "no task ran: is the DAG's start_date after the requested day?"


class TaskError(Strict):
    """The error that ended the last try of a task."""

    type: Annotated[str, Field(description="Name of the exception.")]
    message: str
    cause: Annotated[str | None, Field(description="The first error of the chain, if another one led to this.")]
    where: Annotated[
        str | None, Field(description="The innermost line of this repository that raised it, as file:line in function.")
    ]


class Task(Strict):
    """A task instance after the run."""

    task_id: str
    map_index: Annotated[int | None, Field(description="null: the task isn't mapped.")]
    state: str | None
    tries: int
    seconds: float | None
    log: Annotated[str | None, Field(description="File of the last try; null: it never started.")]
    error: TaskError | None
    skipped_because: str | None
    printed: Annotated[list[str], Field(description="The first lines, each cut where the report cuts it.")]
    returned: Annotated[str | None, Field(description="The returned value as Python shows it, cut; null: None.")]


class Load(Strict):
    """Rows of one partition: ``rows_in = loaded + quarantined``."""

    dataset: str
    partition: str
    replay_of: Annotated[str | None, Field(description="The recorded day that was served for this one.")]
    rows_in: int
    loaded: int
    quarantined: int
    complete: bool
    missing: list[str]


class Run(Strict):
    """A run of a DAG. ``succeeded`` is stricter than ``state``: every row is accounted for, too."""

    dag_id: str
    run_id: str
    state: str
    succeeded: bool
    url: str
    tasks: list[Task]
    loads: list[Load]
    runbook: Annotated[str | None, Field(description="Path of the page that says what to do after a failure.")]


class RunDocument(Strict):
    """Runs in the order in which they ended: of DAGs whose output was missing first, of the requested DAG last."""

    dag_id: str
    kind: Kind
    ended: Annotated[
        str, Field(description="As the exit code says: docs/commands.md.", json_schema_extra={"enum": [*ENDINGS]})
    ]
    upstream: Annotated[Upstream | None, Field(description="live, or recorded data; null: it never came to that.")]
    runs: list[Run]
    error: Annotated[str | None, Field(description="Why there is no run, or why it wasn't followed to its end.")]
    hint: Annotated[str | None, Field(description="What to do next; null if all is well.")]


def document(
    dag_id: str, kind: Kind, code: Exit, upstream: Upstream | None, runs: Sequence[Run], error: str | None
) -> RunDocument:
    """Return the document of a command that ended with ``code``; ``error`` is the message that ended it, if one did."""
    hint = None
    if code is Exit.FAILED:
        runbook = next((run.runbook for run in runs if not run.succeeded and run.runbook), None)
        hint = f"read {runbook}; {RUN_AGAIN}" if runbook else RUN_AGAIN
        if runs and not runs[-1].tasks:
            hint = NO_TASK
    return RunDocument(
        dag_id=dag_id,
        kind=kind,
        ended=code.name.lower(),
        upstream=upstream,
        runs=list(runs),
        error=error,
        hint=hint,
    )


def describe(outcome: Outcome, *, succeeded: bool) -> list[Run]:
    """Return the runs of an outcome with what their tasks logged and loaded."""
    details = outcome.airflow.dag(outcome.dag_id) or {}
    runbook = runbook_of(details.get("doc_md"))
    loads = [] if outcome.previews is not None else outcome.loads()
    return [
        Run(
            dag_id=outcome.dag_id,
            run_id=run["dag_run_id"],
            state=run["state"],
            succeeded=succeeded and run["state"] == "success",
            url=f"{outcome.airflow.url}/dags/{outcome.dag_id}/runs/{run['dag_run_id']}",
            tasks=[_task(outcome, task) for task in outcome.airflow.task_instances(outcome.dag_id, run["dag_run_id"])],
            loads=[_load(load) for load in loads if load["run_id"] == run["dag_run_id"]],
            runbook=f"docs/runbooks/{runbook}" if runbook else None,
        )
        for run in outcome.runs
    ]


def _task(outcome: Outcome, task: dict[str, Any]) -> Task:
    entries = outcome.airflow.log_entries(task) if task["try_number"] and task["start_date"] else []
    output = outputs.of(entries)
    return Task(
        task_id=task["task_id"],
        map_index=task["map_index"] if task["map_index"] >= 0 else None,
        state=task["state"],
        tries=task["try_number"],
        seconds=task["duration"],
        log=str(_log(outcome.stack.state, task)) if entries else None,
        error=_error(entries, outcome.stack.dags) if task["state"] == "failed" else None,
        skipped_because=skip_reason(outcome.airflow, task) or None,
        printed=output.printed,
        returned=output.returned,
    )


def _log(state: State, task: dict[str, Any]) -> Path:
    """Return the file of a task's last try, where Airflow's log_filename_template puts it."""
    names = [f"{name}={task[key]}" for name, key in (("dag_id", "dag_id"), ("run_id", "dag_run_id"))]
    names.append(f"task_id={task['task_id']}")
    if task["map_index"] >= 0:
        names.append(f"map_index={task['map_index']}")
    return state.airflow_home.joinpath("logs", *names, f"attempt={task['try_number']}.log")


def _error(entries: Sequence[dict[str, Any] | str], dags: Path) -> TaskError | None:
    """Return the last error in a log; Airflow lists an exception before those that led to it."""
    details = [entry["error_detail"] for entry in entries if isinstance(entry, dict) and entry.get("error_detail")]
    if not details:
        return None
    chain = details[-1]
    first = f"{chain[-1]['exc_type']}: {chain[-1]['exc_value']}"
    places = [
        f"{place}:{frame['lineno']} in {frame['name']}"
        for error in reversed(chain)
        for frame in error.get("frames", ())
        if (place := _shown(Path(frame["filename"]), dags))
    ]
    return TaskError(
        type=str(chain[0]["exc_type"]),
        message=str(chain[0]["exc_value"]),
        cause=first if len(chain) > 1 else None,
        where=places[-1] if places else None,
    )


def _shown(file: Path, dags: Path) -> str:
    """Return a file of this repository or its DAG folder as a path below the repository; empty for any other."""
    if file.is_relative_to(dags):
        return f"dags/{file.relative_to(dags).as_posix()}"
    is_own = file.is_relative_to(REPOSITORY) and ".venv" not in file.parts
    return file.relative_to(REPOSITORY).as_posix() if is_own else ""


def _load(load: dict[str, Any]) -> Load:
    replayed = load["replayed_from"]
    return Load(
        dataset=load["dataset"],
        partition=load["partition_key"],
        replay_of=str(replayed) if replayed else None,
        **{name: load[name] for name in ("rows_in", "loaded", "quarantined", "complete", "missing")},
    )
