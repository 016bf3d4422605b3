"""What the gate finds, also as JSON: docs/gate.schema.json, which stays compatible."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from include.core.warehouse.preview.model import Strict
from tests.gate.launch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable


class Check(StrEnum):
    """The checks that are no house rule; the value is the rule's id, which stays."""

    IMPORT = "import_error"
    CYCLE = "cycle"
    HUNG = "hung"
    EXIT = "exit"
    WARNING = "warning"
    NO_DAG = "no_dag"
    NETWORK = "network"
    LOOKUP = "lookup"
    PROCESS = "process"
    WRITING = "file_written"
    THREAD = "thread"
    ENVIRONMENT = "environment"
    DIRECTORY = "directory"
    SIGNAL = "signal"
    HEAVY_IMPORT = "heavy_import"
    COST = "cost"
    NOT_STORED = "not_stored"
    STABILITY = "stability"
    STORED_SECRET = "stored_secret"  # pragma: allowlist secret
    WRITTEN_SECRET = "written_secret"  # pragma: allowlist secret
    DUPLICATE = "duplicate_id"
    FOLDER = "folder"
    AIRFLOW2 = "airflow2"
    PLUGIN = "plugin"
    CATALOGUE = "catalogue"
    RUNS = "runs"


class Finding(Strict):
    """One thing to fix before a commit."""

    file: Annotated[str, Field(description="Path below the repository, or an absolute one.")]
    line: Annotated[int | None, Field(description="The statement to correct; null: none in particular.")]
    rule: Annotated[str, Field(description="Stable id of the rule: docs/gate.md.")]
    message: str
    fix: str
    dag_id: str | None

    def __str__(self) -> str:
        """Return it in one line, unless the message has several."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        dag = f", DAG {self.dag_id}" if self.dag_id else ""
        return f"{place}{dag}: {self.message}{chr(10) if chr(10) in self.message else '; '}{self.fix}"


class Summary(Strict):
    """What was checked."""

    files: int
    dags: int
    findings: int


class GateDocument(Strict):
    """What ``make gate JSON=1`` prints."""

    passed: bool
    summary: Summary
    findings: list[Finding]


def document(findings: Iterable[Finding], files: int, dags: int) -> GateDocument:
    """Return the document about these findings."""
    found = list(findings)
    return GateDocument(passed=not found, summary=Summary(files=files, dags=dags, findings=len(found)), findings=found)


def shown(path: str | Path) -> str:
    """Return a path below the repository, or as it is."""
    path = Path(path)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
