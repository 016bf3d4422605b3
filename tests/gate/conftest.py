"""One run of the gate for all its tests: the real DAG folder, every planted case, an empty folder and a missing one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gate.finding import Finding
from tests.gate.launch import ROOT
from tests.gate.report import Gate, Report, run
from tests.gate.repository import DAGS, IMPORT_SECONDS, PLUGINS, budgets

SHORT_IMPORT_SECONDS = 0.5
HANGING = "infinite_loop"
PLANTED_BUDGETS = {"heavy_import.py": 1.0, "slow_code.py": 1.0}  # so that these cases can be cheap
PLANTED = ROOT / "tests" / "gate" / "planted" / "dags"
PLANTED_PLUGINS = PLANTED.with_name("plugins")


@pytest.fixture(scope="session")
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """The outcome for the real DAG folder and plugins; and for the planted ones if a selected test needs them."""
    folders, plugins = {DAGS: IMPORT_SECONDS}, [PLUGINS]
    if any({"cases", "planted_plugins"} & set(getattr(item, "fixturenames", ())) for item in request.session.items):
        folders |= planted(tmp_path_factory)
        plugins.append(PLANTED_PLUGINS)
    return run(folders, plugins, budgets() | PLANTED_BUDGETS)


def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, float]:
    """The planted cases, with the seconds that an import in each may take."""
    folders = {
        case: SHORT_IMPORT_SECONDS if case.stem == HANGING else IMPORT_SECONDS
        for case in sorted(PLANTED.iterdir())
        if case.name != "__pycache__"
    }
    empty = tmp_path_factory.mktemp("empty", numbered=False)
    fresh = tmp_path_factory.mktemp("compiled_anew", numbered=False)
    write_uncompiled_import(fresh, tmp_path_factory.mktemp("library"))
    return folders | dict.fromkeys((empty, empty / "missing", fresh), IMPORT_SECONDS)


def write_uncompiled_import(dag_folder: Path, library: Path) -> None:
    """Write a DAG that imports a module that is cheap to load but, the first time, expensive to compile."""
    functions = (
        f"def f{number}(a, *b, c=1, **d):\n    return [a + c for e in b if e in d]\n" for number in range(2000)
    )
    (library / "never_compiled.py").write_text("".join(functions))
    imports = f"import sys\nsys.path.append({str(library)!r})\nimport never_compiled\n"
    good = (PLANTED / "good.py").read_text().replace('"good"', '"compiled_anew"')
    (dag_folder / "compiled_anew.py").write_text(imports + good)


@pytest.fixture(scope="session")
def dags(gate: Gate) -> Report:
    return gate.reports[DAGS]


@pytest.fixture(scope="session")
def cases(gate: Gate) -> dict[str, Report]:
    """Report of each planted case, by its name."""
    return {folder.stem: report for folder, report in gate.reports.items()}


@pytest.fixture(scope="session")
def planted_plugins(gate: Gate) -> list[Finding]:
    """Findings in the planted plugins."""
    return gate.plugins[PLANTED_PLUGINS]
