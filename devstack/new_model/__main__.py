"""``python -m devstack.new_model NAME DATA TARGET``: write a classifier of a column of a CSV file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from devstack.errors import StackError
from devstack.generated import bring_up_to_date
from devstack.new_model.files import write
from devstack.new_model.table import inspect
from devstack.state import REPOSITORY
from include.core.ml.errors import DataError
from include.core.ml.training_list import LARGEST_LIST


def main() -> int:
    """Write the files, and print them; return 1 without writing anything if that isn't possible."""
    parser = argparse.ArgumentParser(prog="python -m devstack.new_model", description=__doc__)
    parser.add_argument("name", help="of the model, the domain and the DAG NAME_model")
    parser.add_argument("data", type=Path, help="CSV file with a header and a row for each example")
    parser.add_argument("target", help="column to predict, with two values: 0 and 1, no and yes, or false and true")
    parser.add_argument("--segment", default="", help="column by whose values the model is judged as well")
    arguments = parser.parse_args()
    try:
        content = _content(arguments.data)
        table = inspect(content, arguments.target, arguments.segment)
        files = write(arguments.name, table, content)
    except (DataError, StackError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in files:
        print(path.relative_to(REPOSITORY))
    for header, reason in table.left_out.items():
        print(f"left out: column {header!r}: {reason}")
    print(f"judged by segment: {table.segment or 'no, there is no column with a few texts'}")
    if not bring_up_to_date(REPOSITORY, [path.relative_to(REPOSITORY).as_posix() for path in files]):
        return 1
    name = arguments.name
    print(
        f"state what the card leaves open in include/domains/{name}/spec.py, then: make gate, make run DAG={name}_model"
    )
    return 0


def _content(path: Path) -> bytes:
    if (size := path.stat().st_size) > LARGEST_LIST:
        raise StackError(f"DATA={path}: {size} bytes; at most {LARGEST_LIST} are allowed: take a sample")
    return path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
