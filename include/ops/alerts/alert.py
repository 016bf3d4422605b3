"""The alert: an event with a key that is the same on every path that reports it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from include.core.warehouse.storable import storable_text

UNWATCHED = frozenset({"alerts_drain"})  # can't report its own failure; Prometheus does (AlertsNotDrained)


class Kind(StrEnum):
    """The type of event."""

    FAILED = "failed"  # a task failed without further retries, or the run failed as a whole
    SUCCEEDED = "succeeded"
    NOTE = "note"  # a custom message of a task
    RETRY = "retry"  # a try failed, and the task is retried
    LATE = "late"  # a run missed its deadline
    IMPORT_ERROR = "import_error"
    STALE = "stale"  # a dataset wasn't loaded in time, with or without a run
    GAP = "gap"  # a dataset lacks partitions between loaded ones
    ZERO_ROWS = "zero_rows"
    UNDELIVERED = "undelivered"  # a channel refuses an alert for good


@dataclass(frozen=True)
class Failure:
    """The failure of one task instance.

    Attributes:
        task_id: the task.
        map_index: index of a mapped task, -1 otherwise.
        try_number: the try that failed, from 1.
        max_tries: total number of tries.
        error: the error in one line, without secrets; empty if the process died without reporting one.
        log_url: URL of the try's log in the web UI.
    """

    task_id: str
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 1
    error: str = ""
    log_url: str = ""

    def __post_init__(self) -> None:
        """Make every text storable."""
        _make_storable(self)

    @property
    def task(self) -> str:
        """The task's id, with the index of a mapped task."""
        return f"{self.task_id}[{self.map_index}]" if self.map_index >= 0 else self.task_id


@dataclass(frozen=True)
class Alert:
    """An event to alert about.

    Attributes:
        kind: type of event.
        dag_id: the DAG; empty for a file that can't be imported.
        run_id: the run; empty if the event isn't about a run.
        attempt: distinguishes runs with the same id: how often the run was cleared, and when it started.
        subject: further part of the key: task and try, dataset, file.
        owner: owner of the DAG, who receives the mail.
        schedule: the schedule in words.
        advice: what to do, in a sentence or two.
        runbook: name of the page in ``docs/runbooks``; empty if there is none.
        text: message in addition to the failures, in one line, without secrets.
        next_try: when the task is retried, in words.
        run_url: URL of the run in the web UI.
        failures: the failures known when the alert was created; the outbox may have more.
    """

    kind: Kind
    dag_id: str = ""
    run_id: str = ""
    attempt: str = ""
    subject: str = ""
    owner: str = ""
    schedule: str = ""
    advice: str = ""
    runbook: str = ""
    text: str = ""
    next_try: str = ""
    run_url: str = ""
    failures: tuple[Failure, ...] = field(default=())

    def __post_init__(self) -> None:
        """Make every text storable."""
        _make_storable(self)

    @property
    def key(self) -> str:
        """Identifies the event; texts aren't part of it."""
        return json.dumps([self.kind, self.dag_id, self.run_id, self.attempt, self.subject])

    @property
    def digest(self) -> str:
        """A hash of the key, 40 hexadecimal digits, for use in names."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:40]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dictionary for :meth:`from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Alert:
        """Return the alert from a dictionary of :meth:`to_dict`; unknown fields are ignored."""
        names = {item.name for item in fields(cls)}
        known = {name: value for name, value in content.items() if name in names}
        failures = tuple(Failure(**failure) for failure in known.pop("failures", ()))
        return cls(**(known | {"kind": Kind(known["kind"]), "failures": failures}))


def _make_storable(record: Any) -> None:
    """Escape what PostgreSQL can't store, such as NUL, in the texts of a new alert or failure; an error may hold it."""
    for name, value in vars(record).items():
        if isinstance(value, str) and not isinstance(value, Kind):
            object.__setattr__(record, name, storable_text(value))
