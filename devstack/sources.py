"""``python -m devstack.sources``: ``new NAME`` creates a source, ``schema`` the JSON schema, ``check`` validates."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from include.core.sources.files import require_sources
from include.core.sources.scaffold import ROOT, SCHEMA, new_source, new_source_from, schema_text
from include.domains.sources import FOLDER
from include.settings import HTTP_CONNECTIONS


def main() -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack.sources", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="write a source's YAML and its test")
    new.add_argument("name")
    new.add_argument("--from", dest="file", type=Path, help="a file with rows, from which the YAML is drafted")
    commands.add_parser("schema", help="write the JSON schema that editors use")
    commands.add_parser("check", help="validate the sources' files")
    arguments = parser.parse_args()
    try:
        if arguments.command == "new":
            paths = new_source_from(arguments.name, arguments.file) if arguments.file else new_source(arguments.name)
            for path in paths:
                print(path.relative_to(ROOT))
            print(f"describe the rows in the first file, then: make fix, make run DAG=process_{arguments.name}_data")
        elif arguments.command == "schema":
            (FOLDER / SCHEMA).write_text(schema_text(), encoding="utf-8")
        else:
            print(f"{len(require_sources(FOLDER, HTTP_CONNECTIONS))} sources are valid")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
