"""Run the gate over DAG folders: two new processes inspect every file, and their results become one report per folder.

They differ in what must not matter: hash seed, clock, time zone, and whether connections exist.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstack.airflow2.find import RULES, findings
from devstack.catalogue.facts import Facts
from tests.gate.canaries import Canary, as_environment, make_canaries
from tests.gate.launch import ROOT, Conditions, probe
from tests.gate.written_secrets import written_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK_SHIFT_DAYS = 400
SHOWN_DIFFERENCES = 5


@dataclass
class Report:
    """What is wrong with one DAG folder.

    ``files`` maps a file to its problems, ``dags`` a DAG id to its problems by rule, ``facts`` a DAG id to its
    facts for the catalogue; ``problems`` concern the folder itself.
    """

    problems: list[str] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)
    dags: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)

    def all_problems(self) -> list[str]:
        """Return every problem in one list, each with its file or DAG."""
        of_files = [f"{file}: {problem}" for file, problems in self.files.items() for problem in problems]
        of_dags = [
            f"{self.facts[dag_id].file}, DAG {dag_id}: {problem}"
            for dag_id, rules in self.dags.items()
            for broken in rules.values()
            for problem in broken
        ]
        return [*self.problems, *of_files, *of_dags]


@dataclass
class Gate:
    """The outcome of one run: a report for each DAG folder, and the problems of each plugins folder."""

    reports: dict[Path, Report]
    plugins: dict[Path, list[str]]


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
        plugins={folder: _plugin_problems(first["plugins"][str(folder)]) for folder in plugins},
    )


def _plugin_problems(loaded: dict[str, Any]) -> list[str]:
    return [
        *(
            f"plugin {Path(f).name}: {error}; fix it, or Airflow goes on without"
            for f, error in loaded["errors"].items()
        ),
        *(
            f"plugins or policies import {m}, so every Airflow process does: import it in a function"
            for m in loaded["heavy"]
        ),
    ]


def lint(path: Path) -> str:
    """Return what is wrong with the text of the DAG files under ``path``: heavy imports, names of Airflow 2."""
    configuration = ROOT / "pyproject.toml"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--quiet",
        "--no-cache",
        "--config",
        configuration,
        "--select",
        "AIR,TID253",
        "--ignore",
        RULES,
        path,
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    output = process.stdout + process.stderr if process.returncode else ""
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        output += "".join(f"{file}, {finding}\n" for finding in findings(file))
    return output


def _report(
    folder: Path, first: dict[str, Any], second: dict[str, Any], canaries: list[Canary], budgets: dict[str, float]
) -> Report:
    report = Report()
    if not first:
        state = "holds no DAG file" if folder.exists() else "does not exist"
        report.problems.append(f"the DAG folder {folder} {state}: the gate checked nothing")
    defined_in: dict[str, str] = {}
    for path, result in first.items():
        repeated, file = second[path], Path(path).name
        report.files[file] = [
            *(result["problems"] or repeated["problems"]),
            *_cost_problems(result, repeated, budgets.get(file, budgets["default"])),
            *(
                f"dag_id {dag_id!r} is defined in {defined_in[dag_id]} too; rename one, or Airflow shows only one"
                for dag_id in result["dags"]
                if dag_id in defined_in
            ),
        ]
        for dag_id, dag in result["dags"].items():
            defined_in[dag_id] = file
            report.facts[dag_id] = Facts(**dag["facts"])
            stored = repeated["dags"].get(dag_id, {}).get("serialized")
            report.dags[dag_id] = dag["problems"] | {
                "stability": _stability_problems(dag["serialized"], stored),
                "secrets": [
                    *_canary_problems(json.dumps(stored, ensure_ascii=False), canaries),
                    *written_secrets([dag["serialized"], dag["arguments"]], Path(path).read_text(errors="replace")),
                ],
            }
    return report


def _cost_problems(first: dict[str, Any], second: dict[str, Any], budget: float) -> list[str]:
    cost = min(first["cost"], second["cost"])
    if cost <= budget:
        return []
    slowest = ", ".join(first["imports"]) or "none, so it is the code itself"
    problem = f"parsing costs {cost:.1f} units of CPU, the budget is {budget} (tests/gate/budget.toml); "
    return [problem + f"move what is slow into a task. Slowest imports: {slowest}"]


def _stability_problems(first: Any, second: Any) -> list[str]:
    advice = "it depends on hash order, clock, random numbers, time zone or connections: make it constant"
    return [f"{difference}; {advice}" for difference in islice(_differences(first, second), SHOWN_DIFFERENCES)]


def _differences(left: Any, right: Any, path: str = "dag") -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from _differences(left.get(key), right.get(key), f"{path}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, pair in enumerate(zip(left, right, strict=True)):
            yield from _differences(*pair, f"{path}[{index}]")
    elif left != right:
        yield f"{path} is {left!r:.80} in one process and {right!r:.80} in another"


def _canary_problems(stored: str, canaries: list[Canary]) -> list[str]:
    return [
        f"{canary} is in what Airflow stores; read it in the task, through the hook"
        for canary in canaries
        if canary.is_in(stored)
    ]
