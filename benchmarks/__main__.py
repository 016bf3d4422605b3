"""Measure what ``docs/performance.md`` shows, and write it anew: ``make bench``, or ``make bench OF=parse`` for a part.

Returns 1 if a goal is missed. ``--print`` only prints; so do the benchmarks that write a page or table of their own.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.comparison import Comparison, Role
from benchmarks.compose_stack import has_engine
from benchmarks.results import describe_machine, result_of
from devstack.state import REPOSITORY


def main() -> int:
    """Measure, print, store, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"default: {' '.join(page.existing())}")
    parser.add_argument("--repeats", type=int, default=5, help="of each variant (default: %(default)s)")
    parser.add_argument("--print", action="store_true", help="store nothing")
    arguments = parser.parse_args()
    names = arguments.names or page.existing()
    if not arguments.names and not has_engine():
        print("compose_stack and growth are left out: no container engine answers", file=sys.stderr)
        names = [name for name in names if name not in {"compose_stack", "growth"}]
    sys.path.append(str(REPOSITORY / "plugins"))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")])
    passed = True
    for name in names:
        if name not in page.MODULES:
            passed &= not _run_alone(name)
            continue
        machine = describe_machine()
        comparisons = import_module(f"benchmarks.{name}").compare(arguments.repeats)
        _print(name, comparisons)
        passed &= all(comparison.is_met for comparison in comparisons)
        if not arguments.print:
            result_of(name, comparisons, machine).write()
            page.main()
    return not passed


def _run_alone(name: str) -> int:
    """Run a benchmark that has a page or table of its own; return its exit code."""
    sys.argv = [f"benchmarks.{name}"]
    try:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _print(name: str, comparisons: list[Comparison]) -> None:
    table = Table(title=f"{name}: median (min to max)", title_justify="left")
    for heading in ("what", "variant", "value", "unit", ""):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for comparison in comparisons:
        for series in comparison.series:
            value = f"{series.median:.3g} ({min(series.values):.3g} to {max(series.values):.3g})"
            verdict = "" if series.role is not Role.OURS or comparison.goal is None else str(comparison.is_met)
            table.add_row(comparison.what, f"{series.role}: {series.name}", value, comparison.unit, verdict)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
