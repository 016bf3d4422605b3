"""What is alerted about: one happening, named by a key that every path which sees it agrees on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

UNWATCHED = frozenset({"alerts_drain"})  # it can't tell that it doesn't deliver; Prometheus does (AlertOutboxOld)


class Kind(StrEnum):
    """What happened."""

    FAILED = "failed"  # a task of the run failed and isn't tried again, or the run failed as a whole
    SUCCEEDED = "succeeded"
    NOTE = "note"  # a task says something of its own
    RETRY = "retry"  # a try failed, the task is tried again
    LATE = "late"  # a run wasn't done by its deadline
    IMPORT_ERROR = "import_error"
    STALE = "stale"  # a dataset wasn't loaded in time, whether or not a run was made
    ZERO_ROWS = "zero_rows"


@dataclass(frozen=True)
class Failure:
    """The failure of one task instance.

    Attributes:
        task_id: the task.
        map_index: index of a mapped task, -1 for any other.
        try_number: the try that failed, from 1.
        max_tries: how many tries there are.
        error: in one line, without secrets; empty if the process died without a word.
        log_url: the try's log in the web UI.
    """

    task_id: str
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 1
    error: str = ""
    log_url: str = ""

    @property
    def task(self) -> str:
        """The task's id, with the index of a mapped one."""
        return f"{self.task_id}[{self.map_index}]" if self.map_index >= 0 else self.task_id


@dataclass(frozen=True)
class Alert:
    """One happening.

    Attributes:
        kind: what happened.
        dag_id: to which DAG; empty for a file that doesn't load.
        run_id: in which run; empty if it is about none.
        attempt: tells runs of one id apart: how often the run was cleared, and when it started.
        subject: what else the key needs: task and try, dataset, file.
        owner: of the DAG, which decides who gets the mail.
        schedule: in words.
        advice: what to do, in a sentence or two.
        runbook: name of the page in ``docs/runbooks``; empty if there is none.
        text: what is said beside the failures, in one line, without secrets.
        next_try: when a task is tried again, in words.
        run_url: the run in the web UI.
        failures: the failures known when the alert was made; the outbox may know more.
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

    @property
    def key(self) -> str:
        """What makes two sightings one happening; wording takes no part in it."""
        return json.dumps([self.kind, self.dag_id, self.run_id, self.attempt, self.subject])

    @property
    def digest(self) -> str:
        """The key in 40 letters and digits, where it names something."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:40]

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` reads, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Alert:
        """Return the alert that :meth:`to_dict` wrote; fields that this version doesn't know are left out."""
        known = {each.name for each in fields(cls)}
        given = {name: value for name, value in content.items() if name in known}
        failures = tuple(Failure(**failure) for failure in given.pop("failures", ()))
        return cls(**(given | {"kind": Kind(given["kind"]), "failures": failures}))
