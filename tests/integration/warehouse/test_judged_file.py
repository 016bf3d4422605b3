"""A file that is judged without a stack is compared with what a warehouse holds, which stays as it is."""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import threading
from pathlib import Path

import pytest

from include.command import ACCEPTED, OTHER, main
from include.core.sources.contract import contract_of
from include.core.sources.files import load_source
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.digest import table_digest
from include.core.warehouse.loader import load

YAML = """
name: orders
description: Orders of a shop, one row each.
owner: me
schedule: "0 6 * * *"
start_date: 2024-01-01
path: /orders
key: [id]
columns:
  id: {type: integer}
  amount: {type: decimal}
"""
DAY = "2024-06-01"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "orders.yaml"
    path.write_text(YAML)
    return path


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_the_rows_are_compared_with_the_published_ones(
    source: Path, warehouse: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = contract_of(load_source(source)).dataset
    published: list[dict[str, object]] = [{"day": DAY, "id": number, "amount": 10} for number in (1, 2, 3)]
    with connect(warehouse) as session:
        load(session, dataset, partition=DAY, rows=published, attempt=Attempt("a", "b", "c", 1))
        before = table_digest(session, dataset)
    rows = [(1, "10"), (2, "10.5"), (4, "1"), (5, "1")]
    file = source.parent / f"orders.{suffix}"
    lines = {"csv": ["id,amount", *(f"{key},{value}" for key, value in rows)]}
    lines["jsonl"] = [f'{{"id": {key}, "amount": {value}}}' for key, value in rows]
    file.write_text("\n".join(lines[suffix]))
    arguments = ["--source", str(source), "--file", str(file), "--date", DAY, "--warehouse", warehouse, "--json"]
    assert main(["preview", *arguments]) == ACCEPTED
    assert json.loads(capsys.readouterr().out)["changes"] == {"added": 2, "changed": 1, "removed": 1}
    with connect(warehouse) as session:
        assert table_digest(session, dataset) == before


def test_a_file_is_downloaded_from_an_allowed_address(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "orders.csv.gz").write_bytes(gzip.compress(b"id,amount\n1,10\n"))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"

        def judge(name: str) -> int:
            return main(["preview", "--source", str(source), "--file", f"{url}/{name}", "--date", DAY, "--json"])

        assert judge("orders.csv.gz") == ACCEPTED
        assert json.loads(capsys.readouterr().out)["rows"] == {"read": 1, "accepted": 1, "rejected": 0}
        assert judge("nothing.csv") == OTHER
        assert "answered 404" in capsys.readouterr().err
        monkeypatch.setenv("SPELLBOOK_PRIVATE_NETWORKS", "10.0.0.0/8")
        assert judge("orders.csv.gz") == OTHER
        assert "not a public address" in capsys.readouterr().err
        server.shutdown()
