"""Run the gate over DAG folders: two new processes inspect every file, and their results become one report per folder.

They differ in what must not matter: hash seed, clock, time zone, and whether connections exist.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstack.catalogue.facts import Facts
from include.core.airflow2.find import RULES, findings
from tests.gate.canaries import Canary, as_environment, make_canaries
from tests.gate.finding import Check, Finding, shown
from tests.gate.launch import ROOT, Conditions, probe
from tests.gate.places import Places
from tests.gate.written_secrets import ADVICE, written_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK_SHIFT_DAYS = 400
SHOWN_DIFFERENCES = 5
FIXES = {
    "AIR002": "pass schedule=, even if it is None",
    "TID253": "import it in the function that needs it",
}
"""Of rules for which ruff suggests none."""


@dataclass
class Report:
    """What is wrong with one DAG folder, how many ``files`` it has, and the facts of its DAGs by id."""

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    facts: dict[str, Facts] = field(default_factory=dict)

    def all_problems(self) -> list[str]:
        """Return every finding as text."""
        return [str(finding) for finding in self.findings]


@dataclass
class Gate:
    """The outcome of one run: a report for each DAG folder, and the findings in each plugins folder."""

    reports: dict[Path, Report]
    plugins: dict[Path, list[Finding]]


def run(folders: dict[Path, float], plugins: list[Path], budgets: dict[str, float]) -> Gate:
    """Inspect every DAG file of ``folders``, and load ``plugins``.

    Args:
        folders: DAG folder (or one file) → seconds that an import in it may take.
        plugins: plugins folders.
        budgets: file name, or ``default`` → allowed cost of parsing it, in units of the probe's baseline work.

    Raises:
        RuntimeError: if a probe fails, with what it wrote to stderr.
    """
    canaries = make_canaries()
    bare = Conditions("bare", 0, {"PYTHONHASHSEED": "1", "TZ": "UTC"})
    environment = {"PYTHONHASHSEED": "2", "TZ": "Pacific/Auckland"} | as_environment(canaries)
    shifted = Conditions("shifted", CLOCK_SHIFT_DAYS, environment)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            lambda conditions: probe(folders, plugins, budgets, conditions, Path(scratch)), (bare, shifted)
        )
    return Gate(
        reports={
            folder: _report(folder, first["folders"][str(folder)], second["folders"][str(folder)], canaries, budgets)
            for folder in folders
        },
        plugins={folder: _plugin_findings(folder, first["plugins"][str(folder)]) for folder in plugins},
    )


def _plugin_findings(folder: Path, loaded: dict[str, Any]) -> list[Finding]:
    found = [
        (file, f"plugin {Path(file).name}: {error}", "fix it, or Airflow goes on without")
        for file, error in loaded["errors"].items()
    ]
    found += [
        (str(folder), f"plugins or policies import {module}, so every Airflow process does", "import it in a function")
        for module in loaded["heavy"]
    ]
    return [
        Finding(file=shown(file), line=None, rule=Check.PLUGIN, message=message, fix=fix, dag_id=None)
        for file, message, fix in found
    ]


def lint(path: Path) -> list[Finding]:
    """Return what is wrong with the text of the DAG files under ``path``: heavy imports, names of Airflow 2."""
    options = ["--quiet", "--no-cache", "--exit-zero", "--output-format", "json", "--select", "AIR,TID253"]
    command: list[str | Path] = [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", *options]
    process = subprocess.run([*command, "--ignore", RULES, path], capture_output=True, text=True, check=True)
    found = [
        Finding(
            file=shown(item["filename"]),
            line=item["location"]["row"],
            rule=item["code"] or "syntax",
            message=item["message"],
            fix=(item["fix"] or {}).get("message") or FIXES.get(item["code"], "use what the message names"),
            dag_id=None,
        )
        for item in json.loads(process.stdout)
    ]
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        found += [
            Finding(
                file=shown(file),
                line=finding.line,
                rule=Check.AIRFLOW2,
                message=f"`{finding.removed}` is gone in Airflow 3",
                fix=finding.advice,
                dag_id=None,
            )
            for finding in findings(file)
        ]
    return found


def _report(
    folder: Path, first: dict[str, Any], second: dict[str, Any], canaries: list[Canary], budgets: dict[str, float]
) -> Report:
    report = Report(files=len(first))
    if not first:
        state = "holds no DAG file" if folder.exists() else "does not exist"
        message = f"the DAG folder {folder} {state}: the gate checked nothing"
        report.findings.append(_about(folder, Check.FOLDER, message, "set the folder that holds your DAG files"))
    defined_in: dict[str, str] = {}
    for path, result in first.items():
        repeated, file, places = second[path], Path(path).name, Places(path, result["created"])
        found = [
            Finding(**finding | {"file": shown(finding["file"])})
            for finding in result["findings"] or repeated["findings"]
        ]
        found += _cost_findings(path, result, repeated, budgets.get(file, budgets["default"]))
        for dag_id, dag in result["dags"].items():
            if dag_id in defined_in:
                message = f"dag_id {dag_id!r} is defined in {defined_in[dag_id]} too"
                fix = "rename one, or Airflow shows only one"
                found.append(_about(path, Check.DUPLICATE, message, fix, places.dag(dag_id), dag_id))
            defined_in[dag_id] = file
            report.facts[dag_id] = Facts(**dag["facts"])
            stored = repeated["dags"].get(dag_id, {}).get("serialized")
            found += _stability_findings(path, dag_id, dag["serialized"], stored, places)
            found += _canary_findings(path, dag_id, stored, canaries, places)
            found += _written_secrets(path, dag_id, dag, places)
        report.findings += found
    return report


def _about(
    path: str | Path, check: Check, message: str, fix: str, line: int | None = None, dag_id: str | None = None
) -> Finding:
    return Finding(file=shown(path), line=line, rule=check, message=message, fix=fix, dag_id=dag_id)


def _cost_findings(path: str, first: dict[str, Any], second: dict[str, Any], budget: float) -> list[Finding]:
    cost = min(first["cost"], second["cost"])
    if cost <= budget:
        return []
    slowest = ", ".join(first["imports"]) or "none, so it is the code itself"
    message = f"parsing costs {cost:.1f} units of CPU, the budget is {budget} (tests/gate/budget.toml)"
    fix = f"move what is slow into a task. Slowest imports: {slowest}"
    return [_about(path, Check.COST, message, fix, first["slowest_line"] or second["slowest_line"])]


def _stability_findings(path: str, dag_id: str, first: Any, second: Any, places: Places) -> list[Finding]:
    fix = "it depends on hash order, clock, random numbers, time zone or connections: make it constant"
    found = []
    for where, difference in islice(_differences(first, second), SHOWN_DIFFERENCES):
        task = re.match(r"dag\.dag\.tasks\[(\d+)\]", where)
        line = (
            places.created(dag_id, first["dag"]["tasks"][int(task[1])]["__var"]["task_id"])
            if task
            else places.dag(dag_id, where.removeprefix("dag.dag.").partition(".")[0])
        )
        found.append(_about(path, Check.STABILITY, difference, fix, line, dag_id))
    return found


def _differences(left: Any, right: Any, path: str = "dag") -> Iterator[tuple[str, str]]:
    """Yield the place of each difference, and what differs."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from _differences(left.get(key), right.get(key), f"{path}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, pair in enumerate(zip(left, right, strict=True)):
            yield from _differences(*pair, f"{path}[{index}]")
    elif left != right:
        yield path, f"{path} is {left!r:.80} in one process and {right!r:.80} in another"


def _canary_findings(path: str, dag_id: str, stored: Any, canaries: list[Canary], places: Places) -> list[Finding]:
    found = []
    for canary in canaries:
        if canary.is_in(json.dumps(stored, ensure_ascii=False)):
            tasks = [task["__var"] for task in stored["dag"]["tasks"]]
            holder = next((task for task in tasks if canary.is_in(json.dumps(task, ensure_ascii=False))), None)
            line = places.created(dag_id, holder["task_id"]) if holder else places.dag(dag_id)
            fix = "read it in the task, through the hook"
            found.append(_about(path, Check.STORED_SECRET, f"{canary} is in what Airflow stores", fix, line, dag_id))
    return found


def _written_secrets(path: str, dag_id: str, dag: dict[str, Any], places: Places) -> Iterator[Finding]:
    source = Path(path).read_text(errors="replace")
    for written in written_secrets([dag["serialized"], dag["arguments"]], source):
        task = re.match(r"task ([^:]+): (\w+)", written.message)
        declared = places.declared(dag_id, task[1], task[2]) if task else None
        line = declared or written.line or (places.created(dag_id, task[1]) if task else places.dag(dag_id))
        yield _about(path, Check.WRITTEN_SECRET, written.message, ADVICE, line, dag_id)
