"""Load a DAG file or the plugins folder as Airflow does, and report its problems."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from traceback import walk_stack
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
from tests.gate.finding import Check, Finding
from tests.gate.forked import EndedError, HungError, in_fork, slowest_imports
from tests.gate.places import Created, Places, place_in, recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from airflow.sdk import DAG

GRACE_SECONDS = 5
SLOWEST_IMPORTS = 5
PLUGIN_SECONDS = 30
BASELINE_REPEATS = 3
SAMPLE_SECONDS = 0.002
TOO_LONG = "timeout: the import took too much CPU time"
OWN_CHECKS = {"AirflowDagCycleException": Check.CYCLE, TOO_LONG: Check.HUNG}
NOT_STORED = "if that is a class of yours, move it into plugins/spellbook and name it in plugins/spellbook_plugin.py"
NO_DAG = (
    "move it into include/, name it in dags/.airflowignore, or call the DAG's function at its end "
    "(Airflow passes over a file without the words 'airflow' and 'dag')"
)


@dataclass
class DagReport:
    """A DAG's serialized form, and its facts for the catalogue.

    ``arguments`` has those of its tasks, also the ones that aren't serialized, as far as they are plain data.
    """

    serialized: Any
    arguments: list[dict[str, Any]]
    facts: dict[str, Any]


@dataclass
class FileReport:
    """Findings and DAGs of one file.

    Attributes:
        findings: as dictionaries.
        created: the line that creates each ``dag_id/task_id``.
        cost: the CPU time that parsing took, in units of the baseline work.
        imports: the slowest of its imports.
        slowest_line: where most of the CPU time was spent; None if that isn't known.
        compiled: whether any import had to be compiled because it had no bytecode, as in a new installation.
    """

    findings: list[dict[str, Any]] = field(default_factory=list)
    dags: dict[str, DagReport] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    cost: float = 0.0
    imports: list[str] = field(default_factory=list)
    slowest_line: int | None = None
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
        return asdict(FileReport([_finding(path, Check.HUNG, str(error), advise(TimeoutError.__name__))]))
    except EndedError as error:
        message = f"ended its process while it was parsed: {error}".rstrip()
        return asdict(FileReport([_finding(path, Check.EXIT, message, advise("SystemExit"))]))
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
    with sampling(path) as samples, recording(path) as created, tripwires.noting(banned) as noted:
        started = time.process_time()
        bag = DagBag(dag_folder=path)
        spent = time.process_time() - started
    signal.setitimer(signal.ITIMER_PROF, 0)
    report = FileReport(cost=spent / (baseline or baseline_seconds()), compiled=bool(compiled))
    report.imports, report.created = slowest_imports(stderr, SLOWEST_IMPORTS), created.tasks
    report.slowest_line = max(samples, key=lambda line: samples[line], default=None)
    heavy = {name.split(".")[0] for name in set(sys.modules) - before} & set(banned)
    places = Places(path, created.tasks)
    report.findings = [
        *_file_findings(bag, path, created),
        *(_noted(path, note) for note in noted.notes),
        *(_heavy(path, name, noted, places) for name in sorted(heavy)),
    ]
    for dag_id, dag in bag.dags.items():
        report.findings += [
            Finding(
                file=path,
                line=places.of(dag_id, problem),
                rule=name,
                message=problem.message,
                fix=problem.fix,
                dag_id=dag_id,
            ).model_dump()
            for name, rule in RULES.items()
            for problem in rule(dag)
        ]
        try:
            facts = facts_of(dag, folder)
            report.dags[dag_id] = DagReport(DagSerialization.to_dict(dag), _arguments(dag), asdict(facts))
        except SerializationError as error:
            message = f"DAG {dag_id!r} can't be stored: {error}"
            line = places.dag(dag_id, "schedule" if "imetable" in message else "")
            report.findings.append(_finding(path, Check.NOT_STORED, message, NOT_STORED, line, dag_id))
    return asdict(report)


def _finding(
    path: str, check: Check, message: str, fix: str, line: int | None = None, dag_id: str | None = None
) -> dict[str, Any]:
    """Return a finding; without a line, at the place that its message names."""
    file, number = (path, line) if line else place_in(message, path) or (path, None)
    return Finding(file=file, line=number, rule=check, message=message, fix=fix, dag_id=dag_id).model_dump()


def _noted(path: str, note: tripwires.Note) -> dict[str, Any]:
    place = note.place
    return Finding(
        file=str(place.file) if place else path,
        line=place.line if place else None,
        rule=note.check,
        message=note.message,
        fix=tripwires.FIXES[note.check],
        dag_id=None,
    ).model_dump()


def _heavy(path: str, module: str, noted: tripwires.Noted, places: Places) -> dict[str, Any]:
    place = noted.imports.get(module)
    file, line = (str(place.file), place.line) if place else (path, places.imported(module))
    message = f"imports {module} while it is parsed"
    return _finding(file, Check.HEAVY_IMPORT, message, "import it in the function that needs it", line)


@contextmanager
def sampling(path: str) -> Iterator[Counter[int]]:
    """Count in which lines of a file this context spends its CPU time."""
    lines: Counter[int] = Counter()

    def note(_: int, frame: FrameType | None) -> None:
        line = next((line for each, line in walk_stack(frame) if each.f_code.co_filename == path), None)
        if line:
            lines[line] += 1

    before = signal.signal(signal.SIGVTALRM, note)
    signal.setitimer(signal.ITIMER_VIRTUAL, SAMPLE_SECONDS, SAMPLE_SECONDS)
    try:
        yield lines
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _arguments(dag: DAG) -> list[dict[str, Any]]:
    named = [getattr(task, "_BaseOperator__init_kwargs", {}) | {"task_id": task.task_id} for task in dag.tasks]
    plain: list[dict[str, Any]] = json.loads(json.dumps(named, skipkeys=True, default=lambda _: None))
    return plain


def _give_up(*_: object) -> None:
    raise TimeoutError(TOO_LONG)


def _note_compilations() -> list[str]:
    """Return a list to which this process adds each file that it compiles on import."""
    compiled: list[str] = []
    compile_source = SourceFileLoader.source_to_code

    def source_to_code(self: SourceFileLoader, data: Any, path: Any, **options: Any) -> Any:
        compiled.append(str(path))
        return compile_source(self, data, path, **options)

    patch.object(SourceFileLoader, "source_to_code", source_to_code).start()
    return compiled


def _file_findings(bag: DagBag, path: str, created: Created) -> Iterator[dict[str, Any]]:
    for error in bag.import_errors.values():
        check = next((check for name, check in OWN_CHECKS.items() if name in error), Check.IMPORT)
        line = created.closing_line() if check is Check.CYCLE else None
        yield _finding(path, check, error.strip(), advise(error), line)
    for captured in bag.captured_warnings.values():
        for warning in captured:
            place = warning.partition(": ")[0]
            if "/site-packages/" not in place:  # a library about its own code
                line = int(place.rpartition(":")[2])
                yield _finding(path, Check.WARNING, warning, "use what the warning names instead", line)
    may_be_empty = "create_dags(" in Path(path).read_text(errors="replace")  # may create no DAG
    if not bag.dags and not bag.import_errors and not may_be_empty:
        yield _finding(path, Check.NO_DAG, "defines no DAG", NO_DAG, 1)


def _plugin_report(folder: str, banned: list[str], _: Path) -> dict[str, Any]:
    settings.PLUGINS_FOLDER = folder
    return {"errors": plugins_manager.get_import_errors(), "heavy": sorted(set(banned) & set(sys.modules))}
