"""Load a DAG file or the plugins folder as Airflow does, and report its problems."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import warnings
from dataclasses import asdict, dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from airflow import plugins_manager, settings
from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag
from airflow.exceptions import SerializationError
from airflow.serialization.serialized_objects import DagSerialization

from devstack.catalogue.extract import facts_of
from include.house_rules import RULES
from tests.gate import tripwires
from tests.gate.advice import advise
from tests.gate.forked import EndedError, HungError, in_fork, slowest_imports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import DAG

GRACE_SECONDS = 5
SLOWEST_IMPORTS = 5
PLUGIN_SECONDS = 30
BASELINE_REPEATS = 3


@dataclass
class DagReport:
    """A DAG's problems by rule, its serialized form, and its facts for the catalogue.

    ``arguments`` has those of its tasks, also the ones that aren't serialized, as far as they are plain data.
    """

    problems: dict[str, list[str]]
    serialized: Any
    arguments: list[dict[str, Any]]
    facts: dict[str, Any]


@dataclass
class FileReport:
    """Problems and DAGs of one file.

    Attributes:
        cost: the CPU time that parsing took, in units of the baseline work.
        imports: the slowest of its imports.
        compiled: whether any import had to be compiled because it had no bytecode, as in a new installation.
    """

    problems: list[str] = field(default_factory=list)
    dags: dict[str, DagReport] = field(default_factory=dict)
    cost: float = 0.0
    imports: list[str] = field(default_factory=list)
    compiled: bool = False


def baseline_seconds() -> float:
    """Return the CPU seconds of a fixed piece of work, so that costs compare between machines."""
    text = Path(argparse.__file__).read_text(encoding="utf-8")
    started = time.process_time()
    for _ in range(BASELINE_REPEATS):
        compile(text, "baseline", "exec")
    return (time.process_time() - started) / BASELINE_REPEATS


def inspect_file(
    path: str, folder: Path, timeout: float, banned: list[str], baseline: float, budget: float
) -> dict[str, Any]:
    """Return the :class:`FileReport` of the file, as a dictionary.

    A file whose imports were compiled is measured again: an installation compiles once, not at each parse.
    A file over budget is measured again too, with a new baseline: load slows down both. The lower cost counts.

    Args:
        path: the DAG file.
        folder: its DAG folder.
        timeout: seconds of CPU time after which an import counts as hung.
        banned: top-level modules that no DAG file may import while it is parsed, directly or indirectly.
        baseline: see :func:`baseline_seconds`.
        budget: cost above which the file is measured again.
    """
    try:
        report: dict[str, Any] = in_fork(
            _file_report, path, folder, timeout, banned, baseline, seconds=timeout + GRACE_SECONDS
        )
        if report["compiled"] or report["cost"] > budget:
            repeated = in_fork(_file_report, path, folder, timeout, banned, None, seconds=timeout + GRACE_SECONDS)
            report = min(report, repeated, key=lambda result: float(result["cost"]))
    except HungError as error:
        return asdict(FileReport([f"{error}: {advise(TimeoutError.__name__)}"]))
    except EndedError as error:
        return asdict(FileReport([f"ended its process while it was parsed: {error}\n{advise('SystemExit')}"]))
    return report


def inspect_plugins(folder: str, banned: list[str]) -> dict[str, Any]:
    """Load the plugins of ``folder``; return their import errors by file, and the banned modules that are loaded."""
    report: dict[str, Any] = in_fork(_plugin_report, folder, banned, seconds=PLUGIN_SECONDS)
    return report


def _file_report(
    path: str, folder: Path, timeout: float, banned: list[str], baseline: float | None, stderr: Path
) -> dict[str, Any]:
    warnings.simplefilter("always")
    conf.set("core", "dagbag_import_timeout", "0")  # it measures wall time
    signal.signal(signal.SIGPROF, _give_up)
    signal.setitimer(signal.ITIMER_PROF, timeout)
    before, compiled = set(sys.modules), _note_compilations()
    with tripwires.noting() as noted:
        started = time.process_time()
        bag = DagBag(dag_folder=path)
        spent = time.process_time() - started
    signal.setitimer(signal.ITIMER_PROF, 0)
    report = FileReport(cost=spent / (baseline or baseline_seconds()), compiled=bool(compiled))
    report.imports = slowest_imports(stderr, SLOWEST_IMPORTS)
    heavy = {name.split(".")[0] for name in set(sys.modules) - before} & set(banned)
    report.problems = [
        *_file_problems(bag, path),
        *noted,
        *(f"imports {name} while it is parsed; import it in the function that needs it" for name in sorted(heavy)),
    ]
    for dag_id, dag in bag.dags.items():
        problems = {name: broken for name, rule in RULES.items() if (broken := list(rule(dag)))}
        try:
            facts = facts_of(dag, folder)
            report.dags[dag_id] = DagReport(problems, DagSerialization.to_dict(dag), _arguments(dag), asdict(facts))
        except SerializationError as error:
            advice = "move its classes into plugins/spellbook and name them in plugins/spellbook_plugin.py"
            report.problems.append(f"DAG {dag_id!r} can't be stored: {error}\nIf that is a class of yours, {advice}")
    return asdict(report)


def _arguments(dag: DAG) -> list[dict[str, Any]]:
    named = [getattr(task, "_BaseOperator__init_kwargs", {}) | {"task_id": task.task_id} for task in dag.tasks]
    plain: list[dict[str, Any]] = json.loads(json.dumps(named, skipkeys=True, default=lambda _: None))
    return plain


def _give_up(*_: object) -> None:
    raise TimeoutError("timeout: the import took too much CPU time")


def _note_compilations() -> list[str]:
    """Return a list to which this process adds each file that it compiles on import."""
    compiled: list[str] = []
    compile_source = SourceFileLoader.source_to_code

    def source_to_code(self: SourceFileLoader, data: Any, path: Any, **options: Any) -> Any:
        compiled.append(str(path))
        return compile_source(self, data, path, **options)

    patch.object(SourceFileLoader, "source_to_code", source_to_code).start()
    return compiled


def _file_problems(bag: DagBag, path: str) -> Iterator[str]:
    for error in bag.import_errors.values():
        yield f"{error.strip()}\n{advise(error)}"
    for captured in bag.captured_warnings.values():
        yield from (
            f"{warning}\nUse what the warning names instead"
            for warning in captured
            if "/site-packages/" not in warning.partition(": ")[0]  # a library about its own code
        )
    may_be_empty = "create_dags(" in Path(path).read_text(errors="replace")  # may create no DAG
    if not bag.dags and not bag.import_errors and not may_be_empty:
        yield (
            "defines no DAG: move it into include/, name it in dags/.airflowignore, or call the DAG's function "
            "at its end (Airflow passes over a file without the words 'airflow' and 'dag')"
        )


def _plugin_report(folder: str, banned: list[str], _: Path) -> dict[str, Any]:
    settings.PLUGINS_FOLDER = folder
    return {"errors": plugins_manager.get_import_errors(), "heavy": sorted(set(banned) & set(sys.modules))}
