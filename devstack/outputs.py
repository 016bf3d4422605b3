"""What the tasks of a run printed and returned, from their logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.core.warehouse.preview.terminal import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from devstack.api import Airflow

PRINTED = {"task.stdout", "task.stderr"}
RETURNED = "Done. Returned value was: "  # of Airflow's PythonOperator
TASKS, LINES, WIDTH = 10, 10, 200


def write(console: Console, airflow: Airflow, instances: Iterable[dict[str, Any]]) -> None:
    """Print the output of the first :data:`TASKS` tasks that succeeded, in the order in which they ran."""
    ran = sorted(
        (task for task in instances if task["state"] == "success" and task["try_number"]),
        key=lambda task: task["end_date"],
    )
    lines = [line for task in ran[:TASKS] for line in _lines(airflow, task)]
    if lines:
        console.print("Output", style="italic")
    for line in lines:
        console.print(f"  {line}", markup=False, highlight=False)


def _lines(airflow: Airflow, task: dict[str, Any]) -> Iterator[str]:
    entries = [entry for entry in airflow.log_entries(task) if isinstance(entry, dict)]
    name = task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"
    printed = [_cut(entry["event"]) for entry in entries if entry.get("logger") in PRINTED]
    yield from (f"{name} printed {line}" for line in printed[:LINES])
    if len(printed) > LINES:
        yield f"{name} printed {len(printed) - LINES} more lines"
    for entry in entries:
        value = str(entry["event"])
        if value.startswith(RETURNED) and value != f"{RETURNED}None":
            yield f"{name} returned {_cut(value.removeprefix(RETURNED))}"


def _cut(text: str) -> str:
    return str(whole(text if len(text) <= WIDTH else f"{text[:WIDTH]}…"))
