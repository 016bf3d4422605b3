"""What the tasks of a run printed and returned, from their logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.core.warehouse.preview.terminal import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from devstack.api import Airflow

PRINTED = {"task.stdout", "task.stderr"}
RETURNED = "Done. Returned value was: "  # of Airflow's PythonOperator
TASKS, LINES, WIDTH = 10, 10, 200


@dataclass(frozen=True)
class Output:
    """The first lines that a task ``printed``, and the value that it ``returned``, as Python shows it."""

    printed: list[str]
    returned: str | None


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


def of(entries: Iterable[dict[str, Any] | str]) -> Output:
    """Return what a task's log entries say that it printed, its first :data:`LINES` lines, and returned."""
    known = [entry for entry in entries if isinstance(entry, dict)]
    printed = [_cut(entry["event"]) for entry in known if entry.get("logger") in PRINTED]
    more = len(printed) - LINES
    values = [str(entry["event"]).removeprefix(RETURNED) for entry in known if str(entry["event"]).startswith(RETURNED)]
    returned = values[-1] if values and values[-1] != "None" else None
    return Output([*printed[:LINES], *([f"{more} more lines"] if more > 0 else [])], returned and _cut(returned))


def _lines(airflow: Airflow, task: dict[str, Any]) -> Iterator[str]:
    output = of(airflow.log_entries(task))
    name = task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"
    yield from (f"{name} printed {line}" for line in output.printed)
    if output.returned is not None:
        yield f"{name} returned {output.returned}"


def _cut(text: str) -> str:
    return str(whole(text if len(text) <= WIDTH else f"{text[:WIDTH]}…"))
