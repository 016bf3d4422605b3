"""Imports DAG files as Airflow does; the import error of one of Airflow 2 starts with what to write instead."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from airflow.dag_processing.importers import DagImportError, DagImportResult, PythonDagImporter
from typing_extensions import override

log = logging.getLogger(__name__)


class AdvisingImporter(PythonDagImporter):
    """Looks at a file only after it has failed to load: any other costs nothing more."""

    @override
    def import_file(self, file_path: str | Path, **options: Any) -> DagImportResult:
        result = super().import_file(file_path, **options)
        for error in result.errors:
            _advise(error, Path(file_path))
        return result


def _advise(error: DagImportError, file: Path) -> None:
    from include.core.airflow2.find import advice

    try:
        lines = advice(file, f"dags/{error.file_path}")
    except Exception:
        log.exception("%s can't be searched for what Airflow 3 removed; its import error stays as it is", file)
        return
    if lines:
        error.stacktrace = "\n".join((*lines, "", error.stacktrace or error.message))
