"""Takes guards of the platform out, one at a time, and checks that the faults named beside each are no longer survived.

``python -m tests.faults.mutants`` does so in copies of the repository; names select some of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.state import REPOSITORY

CAUGHT, MISSED, NOT_TRIED = "caught", "MISSED", "NOT TRIED"
LEFT_OUT = shutil.ignore_patterns(".venv*", "*cache*", "node_modules")
VENV = ".venv"
DEPLOY = "e2e/compose/test_restart.py::test_a_deploy_waits_for_running_tasks_and_keeps_logins_runs_data_and_logs"


@dataclass(frozen=True)
class Mutant:
    """The repository with a guard taken out.

    Attributes:
        changes: by file, texts, each found once in it, and what they are replaced by.
        tests: what must fail, as node ids below `tests`.
    """

    changes: Mapping[str, tuple[tuple[str, str], ...]]
    tests: tuple[str, ...]

    def verdict(self) -> tuple[str, list[str]]:
        """Return what has become of the mutant, and the tests that say so.

        It counts as not tried unless its tests pass in the same copy before anything is taken out.
        """
        with tempfile.TemporaryDirectory(prefix="spellbook-mutant-") as name:
            Path(name).chmod(0o755)
            copy = Path(name) / "repository"
            shutil.copytree(REPOSITORY, copy, ignore=LEFT_OUT)
            (copy / VENV).symlink_to(REPOSITORY / VENV)
            if others := self._without("PASSED", copy):
                return NOT_TRIED, others
            self._change(copy)
            if missed := self._without("FAILED", copy):
                return MISSED, missed
        return CAUGHT, list(self.tests)

    def _without(self, outcome: str, copy: Path) -> list[str]:
        """Run the tests; return those with another outcome."""
        command = [sys.executable, "-m", "pytest", "-m", "weekly or not weekly", "-rfp", "-p", "no:cacheprovider"]
        result = subprocess.run(
            [*command, *(f"tests/{test}" for test in self.tests)],
            cwd=copy,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        named = {
            line.removeprefix(f"{outcome} tests/").partition(" - ")[0]
            for line in result.stdout.splitlines()
            if line.startswith(f"{outcome} ")
        }
        others = [test for test in self.tests if test not in named]
        if others:
            print(result.stdout)
        return others

    def _change(self, copy: Path) -> None:
        for name, changes in self.changes.items():
            source = (copy / name).read_text()
            for text, replacement in changes:
                if source.count(text) != 1:
                    raise SystemExit(f"{name} doesn't contain {text!r} exactly once")
                source = source.replace(text, replacement)
            (copy / name).write_text(source)


MUTANTS = {
    "fence": Mutant(
        {
            "include/core/warehouse/guards.py": (
                ("WHERE (fence.run_started, fence.try_number) <= (excluded.run_started, excluded.try_number)", ""),
            )
        },
        ("faults/test_processes.py::test_supervisor_killed_and_the_task_lives_on",),
    ),
    "merge": Mutant(
        {
            "include/core/warehouse/publish.py": (
                ('if before.rows and before == content(session, dataset, "stage"):', "if False:"),
                ("sql.SQL(INSERT if is_empty else INSERT + ONLY_CHANGED)", "sql.SQL(INSERT)"),
            )
        },
        ("faults/test_stores.py::test_reply_to_a_commit_lost",),
    ),
    "outbox": Mutant(
        {
            "include/ops/alerts/outbox.py": (
                ("self._postpone(rows, error, now)", "pass"),
                ("                return error\n            self.session", "            self.session"),
            )
        },
        ("faults/test_stores.py::test_alert_sinks_away",),
    ),
    "message-of-a-run": Mutant(
        {
            "plugins/spellbook/listener.py": (
                ("    if msg in BY_AIRFLOW:\n        _store_run_alert(dag_run, msg)\n", "    return\n"),
            ),
            "include/policies.py": (("_with(dag.on_failure_callback, on_dag_failure)", "dag.on_failure_callback"),),
        },
        ("faults/test_processes.py::test_task_killed_in_its_last_try",),
    ),
    "api-retries": Mutant(
        {"airflow.cfg": (("execution_api_retries = 55", "execution_api_retries = 5"),)},
        ("faults/test_processes.py::test_api_server_away[20]",),
    ),
    "isolation": Mutant(
        {
            "include/core/sources/factory.py": (
                (
                    "    sources, _ = load_sources(folder, connections)\n",
                    "    sources = require_sources(folder, connections)\n",
                ),
                ("import SUFFIX, load_source, load_sources", "import SUFFIX, load_source, require_sources"),
            )
        },
        ("faults/test_inputs.py::test_source_that_is_not_valid[incomplete]",),
    ),
    "broker-comparison": Mutant(
        {"plugins/spellbook/celery_executor.py": (("            self._resend_lost()\n", ""),)},
        ("faults/test_stores.py::test_broker_flushed_with_queued_tasks",),
    ),
    "drain": Mutant(
        {
            "deploy/compose/deploy": (
                ("docker compose stop airflow-scheduler\n", ""),
                ("docker compose stop $workers\n", ""),
                ("docker compose up --detach --wait --no-deps airflow-apiserver\n", ""),
            )
        },
        ("e2e/compose/test_restart.py::test_a_deploy_waits_for_running_tasks_and_keeps_logins_runs_data_and_logs",),
    ),
}
"""What is taken out, by name."""


def main() -> int:
    """Try the mutants; the exit status is 1 unless all are caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(MUTANTS)} (default: all)")
    names = parser.parse_args().names or list(MUTANTS)
    if unknown := sorted(set(names) - set(MUTANTS)):
        parser.error(f"unknown: {', '.join(unknown)}")
    caught = True
    for name in names:
        verdict, tests = MUTANTS[name].verdict()
        caught &= verdict == CAUGHT
        print(f"{verdict:9} {name:20} {', '.join(tests)}", flush=True)
    return 0 if caught else 1


if __name__ == "__main__":
    sys.exit(main())
