"""``python -m tests.gate``: check every DAG, and print one JSON document; exit code 1 if there are findings."""

from __future__ import annotations

import sys

from tests.gate import repository
from tests.gate.finding import document
from tests.gate.report import run
from tests.gate.repository import DAGS, IMPORT_SECONDS, PLUGINS


def main() -> int:
    """Run every check of :mod:`tests.gate.test_dags`."""
    gate = run({DAGS: IMPORT_SECONDS}, [PLUGINS], repository.budgets())
    report = gate.reports[DAGS]
    found = [*report.findings, *gate.plugins[PLUGINS], *repository.text(report)]
    if not found:  # of DAG files that load
        found += [*repository.catalogue(report), *repository.runs(report)]
    result = document(found, report.files, len(report.facts))
    print(result.model_dump_json(indent=1))
    return int(not result.passed)


if __name__ == "__main__":
    sys.exit(main())
