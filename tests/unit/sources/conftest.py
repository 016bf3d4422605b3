"""A folder with one valid source, to which tests add invalid ones."""

from __future__ import annotations

from pathlib import Path

import pytest

GOOD = """\
name: orders
description: Orders of a shop, a row an order.
owner: shop
schedule: "0 6 * * *"
start_date: 2024-01-01
connection: sources_default
path: /orders
timezone: Europe/Berlin
day_column: ordered_at
key: [id]
max_bad_share: 0.1
minimum_rows: 0
columns:
  id: {type: integer, minimum: 1, maximum: 999999}
  ordered_at: {type: timestamp, from: orderedAt}
  state: {type: text, allowed: [new, paid]}
  email: {type: text, nullable: true, pattern: ".+@.+", null_words: ["-"], pii: true, doc: Of the customer}
limits: {page_size: 100, rows: 1000, megabytes: 1, deadline: 10}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "orders.yaml").write_text(GOOD)
    return folder
