"""Scaffolds a new source: its YAML and a test of its contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from include.core.sources.files import SUFFIX, parse_source
from include.core.sources.model import Source

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = "source.schema.json"


class Page(NamedTuple):
    """The parameters of a request, the parsed response, and its header ``Link``."""

    query: Mapping[str, str]
    body: Any
    link: str


YAML = """\
# yaml-language-server: $schema={schema}
name: {name}
description: What a row of {name} is, and who records it.
owner: data-platform
schedule: "0 6 * * *"
start_date: 2024-01-01
# GET /{name}?since=2024-06-01&until=2024-06-01&limit=500 must return {{"data": [rows], "total": rows of all pages,
# "next": URL of the next page or null}}. For another format add a block api, see docs/make-it-yours.md.
path: /{name}
timezone: UTC
day_column: created_at
key: [id]
max_bad_share: 0.01
freshness: 30.5
columns:
  id: {{type: integer, minimum: 1}}
  created_at: {{type: timestamp}}
  amount: {{type: decimal, nullable: true, minimum: 0, doc: EUR}}
"""
TEST = '''\
"""The contract of the source {name}: an accepted row, and a rejected one with its reason."""

from __future__ import annotations

import datetime as dt
import json

from include.core.sources.files import load_source
from include.core.sources.rows import split_rows
from include.domains.sources import FOLDER

SOURCE = load_source(FOLDER / "{name}.yaml")
DAY = dt.date(2024, 6, 1)
GOOD = {{"id": 1, "created_at": "2024-06-01T08:30:00", "amount": 12.5}}
BAD = {{"id": 0, "created_at": "2024-06-01T08:30:00", "amount": None}}


def test_rows() -> None:
    good, rejected = split_rows(SOURCE, DAY, [json.dumps(GOOD), json.dumps(BAD)], "file")
    assert [row["id"] for row in good] == [1]
    assert [item.reason for item in rejected] == ["id: must be at least 1 (got 0)"]
'''


def new_source(name: str, root: Path = ROOT) -> list[Path]:
    """Write the files of a new source below ``root``; return their paths.

    Raises:
        FileExistsError: if one of them exists; nothing is written.
        SourceError: if the name is invalid; nothing is written.
    """
    yaml_text = YAML.format(name=name, schema=SCHEMA)
    parse_source(yaml_text, Path(f"{name}{SUFFIX}"))
    config = root / "include" / "domains" / "sources" / f"{name}{SUFFIX}"
    test = root / "tests" / "unit" / "sources" / f"test_{name}_source.py"
    for path in (config, test):
        if path.exists():
            raise FileExistsError(f"{path.relative_to(root)} already exists; choose another NAME, or remove it")
    config.write_text(yaml_text, encoding="utf-8")
    test.write_text(TEST.format(name=name), encoding="utf-8")
    return [config, test]


def new_source_from(name: str, file: Path, root: Path = ROOT) -> list[Path]:
    """Write the YAML of a new source that reads files such as ``file``; return its path.

    Raises:
        FileExistsError: if it exists.
        OSError: if the file can't be read.
        SourceError: if the name is invalid; nothing is written.
        UnreadableError: if the file isn't a table.
    """
    from include.core.sources.draft import draft

    config = _new_config(name, root)
    with file.open("rb") as content:
        return _written(config, draft(name, content, file.name))


def new_source_of_api(name: str, conn_id: str, path: str, page: Page, root: Path = ROOT) -> list[Path]:
    """Write the YAML of a new source that reads an API that answered ``page``; return its path.

    Raises:
        FileExistsError: if it exists.
        SourceError: if the name or the path is invalid; nothing is written.
        UnreadableError: if there are no rows in the page.
    """
    from include.core.sources.draft import draft_of_api
    from include.core.sources.envelope import recognise_envelope

    config = _new_config(name, root)
    envelope = recognise_envelope(page.query, page.body, page.link)
    return _written(config, draft_of_api(name, conn_id, path, envelope))


def _new_config(name: str, root: Path) -> Path:
    config = root / "include" / "domains" / "sources" / f"{name}{SUFFIX}"
    if config.exists():
        raise FileExistsError(f"{config.relative_to(root)} already exists; choose another NAME, or remove it")
    return config


def _written(config: Path, yaml_text: str) -> list[Path]:
    parse_source(yaml_text, Path(config.name))
    config.write_text(yaml_text, encoding="utf-8")
    return [config]


def schema_text() -> str:
    """Return the JSON schema of a source's YAML, for editors."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Source.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"
