"""``python -m devstack.new_dag NAME ``: write a DAG with domain, test and runbook."""

from __future__ import annotations

import argparse
import subprocess
import sys

from devstack.errors import StackError
from devstack.generated import bring_up_to_date
from devstack.new_dag.files import KINDS, write
from devstack.state import REPOSITORY

OTHERS = {
    "files": ("devstack.sources", "new", "{name}", "--from", "{rows}"),
    "ml": ("devstack.new_model", "{name}", "{data}", "{target}"),
    "source": ("devstack.sources", "new", "{name}"),
}
"""Kinds that have a command of their own."""
NEEDED = {"files": ("rows",), "ml": ("data", "target")}
SETTINGS = {"rows": "FROM=, a file with rows", "data": "DATA=, a CSV file", "target": "TARGET=, the column to predict"}


def main() -> int:
    """Write the files, and print them; return 1 without writing anything if that isn't possible."""
    parser = argparse.ArgumentParser(prog="python -m devstack.new_dag", description=__doc__)
    parser.add_argument("name", help="of the DAG and of its domain")
    parser.add_argument("--kind", default="etl", choices=sorted([*KINDS, *OTHERS]))
    parser.add_argument("--from", dest="rows", default="", help="with the kind files: a file with rows")
    parser.add_argument("--data", default="", help="with the kind ml: a CSV file")
    parser.add_argument("--target", default="", help="with the kind ml: the column to predict")
    arguments = parser.parse_args()
    name, kind = arguments.name, arguments.kind
    if missing := [SETTINGS[needed] for needed in NEEDED.get(kind, ()) if not getattr(arguments, needed)]:
        print(f"KIND={kind}: set {', and '.join(missing)}", file=sys.stderr)
        return 1
    if kind in OTHERS:
        command = [part.format_map(vars(arguments)) for part in OTHERS[kind]]
        return subprocess.run([sys.executable, "-m", *command], cwd=REPOSITORY, check=False).returncode
    try:
        files = write(name, kind)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    for path in files:
        print(path.relative_to(REPOSITORY))
    if not bring_up_to_date(REPOSITORY, [path.relative_to(REPOSITORY).as_posix() for path in files]):
        return 1
    print(f"then: make run DAG={name}, make gate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
