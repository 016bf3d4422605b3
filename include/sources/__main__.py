"""``python -m include.sources new NAME`` writes a source, ``schema`` its JSON schema, ``check`` judges all files."""

from __future__ import annotations

import argparse
import sys

from include.sources.files import FOLDER, require_sources
from include.sources.scaffold import ROOT, SCHEMA, new_source, schema_text


def main() -> int:
    """Carry out one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.sources", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("new", help="write a source's YAML and its test").add_argument("name")
    commands.add_parser("schema", help="write the JSON schema that editors use")
    commands.add_parser("check", help="say what is wrong with the sources' files")
    arguments = parser.parse_args()
    try:
        if arguments.command == "new":
            for path in new_source(arguments.name):
                print(path.relative_to(ROOT))
            print(f"describe the rows in the first, then: make fix, make run DAG=process_{arguments.name}_data")
        elif arguments.command == "schema":
            (FOLDER / SCHEMA).write_text(schema_text(), encoding="utf-8")
        else:
            print(f"{len(require_sources())} sources are well")
    except (ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
