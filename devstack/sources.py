"""``python -m devstack.sources``: ``new NAME`` creates a source, ``schema`` the JSON schema, ``check`` validates."""

from __future__ import annotations

import argparse
import sys

from include.core.sources.files import require_sources
from include.core.sources.scaffold import ROOT, SCHEMA, new_source, schema_text
from include.domains.sources import FOLDER
from include.settings import HTTP_CONNECTIONS


def main() -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack.sources", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("new", help="write a source's YAML and its test").add_argument("name")
    commands.add_parser("schema", help="write the JSON schema that editors use")
    commands.add_parser("check", help="validate the sources' files")
    arguments = parser.parse_args()
    try:
        if arguments.command == "new":
            for path in new_source(arguments.name):
                print(path.relative_to(ROOT))
            print(f"describe the rows in the first file, then: make fix, make run DAG=process_{arguments.name}_data")
        elif arguments.command == "schema":
            (FOLDER / SCHEMA).write_text(schema_text(), encoding="utf-8")
        else:
            print(f"{len(require_sources(FOLDER, HTTP_CONNECTIONS))} sources are valid")
    except (ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
