"""Text that PostgreSQL can't store, through the steps of a source: counted, masked, with file and line."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import psycopg
import pytest
from upath import UPath

from include.core.sources import pipeline
from include.core.sources.errors import PublishGateError
from include.core.sources.files import parse_source
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.dataset import HIDDEN

YAML = """\
name: contacts
description: Contacts, with texts of every kind.
owner: data-platform
schedule: "0 6 * * *"
start_date: 2024-01-01
path: /contacts
key: [id]
max_bad_share: 0.5
columns:
  id: {type: integer}
  v: {type: text}
  phone: {type: text, pii: true}
"""
SOURCE = parse_source(YAML, Path("sources/contacts.yaml"))
DAY = dt.date(2024, 6, 1)


@pytest.mark.parametrize("text", ["a\0b", "half \ud83c pair"])
def test_its_row_is_rejected_in_process(warehouse: str, tmp_path: Path, text: str) -> None:
    raw = UPath(tmp_path / "sources" / "contacts" / f"day={DAY}" / "run.raw.jsonl")
    raw.parent.mkdir(parents=True)
    rows = [{"id": 1, "v": text, "phone": "+44 20 7946 0958"}, {"id": 2, "v": "ok", "phone": "+44 20 7946 0000"}]
    raw.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pipeline.process(SOURCE, [raw])
    strict = SOURCE.model_copy(update={"max_bad_share": 0.1})
    with pytest.raises(PublishGateError, match=r"1 of 2 rows are invalid .*\n  - 1 x v: the text contains a NUL"):
        pipeline.check(strict, [raw])
    [result] = pipeline.load(SOURCE, [raw], warehouse, Attempt(SOURCE.dag_id, "load", "run", 1))
    assert (result.loaded, result.quarantined) == (1, 1)
    with psycopg.connect(warehouse) as session:
        [(kept, reason)] = session.execute("SELECT source_row, reason FROM quarantine").fetchall()
    assert (kept["file"], kept["line"], kept["row"]["phone"]) == (str(raw), 1, HIDDEN)
    assert reason.startswith("v: the text contains a NUL character or a lone surrogate")
