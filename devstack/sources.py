"""``python -m devstack.sources``: ``new NAME`` creates a source, ``schema`` the JSON schema, ``check`` validates."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from devstack.api_page import ask
from devstack.errors import StackError
from devstack.state import State
from include.core.errors import UpstreamError
from include.core.sources.files import load_source, require_sources
from include.core.sources.scaffold import (
    ROOT,
    SCHEMA,
    new_source,
    new_source_from,
    new_source_of_api,
    schema_text,
)
from include.domains.sources import FOLDER
from include.settings import HTTP_CONNECTIONS


def main() -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack.sources", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="write a source's YAML and its test")
    new.add_argument("name")
    drafted = new.add_mutually_exclusive_group()
    drafted.add_argument("--from", dest="file", type=Path, help="a file with rows, from which the YAML is drafted")
    drafted.add_argument("--url", help="an API's URL, whose answer the YAML is drafted from; or its path")
    commands.add_parser("schema", help="write the JSON schema that editors use")
    commands.add_parser("check", help="validate the sources' files")
    arguments = parser.parse_args()
    try:
        if arguments.command == "new":
            for path in _new(arguments):
                print(path.relative_to(ROOT))
            print("check the YAML, and describe the rows in it")
            print(f"then: make fix, make run DAG=process_{arguments.name}_data")
        elif arguments.command == "schema":
            (FOLDER / SCHEMA).write_text(schema_text(), encoding="utf-8")
        else:
            print(f"{len(require_sources(FOLDER, HTTP_CONNECTIONS))} sources are valid")
    except (ValueError, OSError, UpstreamError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _new(arguments: argparse.Namespace) -> list[Path]:
    """Write the files of a new source; return their paths."""
    if arguments.file:
        paths = new_source_from(arguments.name, arguments.file)
        if files := load_source(paths[0]).files:
            inbox = State.open(for_use=False).root / "storage" / "inbox" / files.folder
            print(f"files go to inbox/{files.folder}/{files.name} in object storage; for make run: {inbox}")
        return paths
    if not arguments.url:
        return new_source(arguments.name)
    answer = ask(arguments.name, arguments.url)
    paths = new_source_of_api(arguments.name, answer.conn_id, answer.path, answer.page)
    if answer.conn_id not in HTTP_CONNECTIONS:
        constant = f'Connection("{answer.conn_id}", "http", "upstreams", "API of {arguments.name}.", optional=True)'
        fields = f'{{"conn_type": "http", "host": "{answer.base}"}}'
        print(f"declare its connection in include/core/settings.py: {arguments.name.upper()} = {constant}")
        print(f"and set it in .env: AIRFLOW_CONN_{answer.conn_id.upper()}='{fields}'")
    return paths


if __name__ == "__main__":
    sys.exit(main())
