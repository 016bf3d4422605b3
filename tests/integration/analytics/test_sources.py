"""The generated tests of a source find what the audit finds, in rows that reached the table some other way."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Column
from include.core.warehouse.schema import create_table
from include.domains.analytics import invocation, sources
from include.domains.analytics.manifest import PROJECT
from tests.integration.warehouse.rule_cases import BROKEN, ORDER, ORDERS, UNREADABLE

MARKUP = "{{ nothing }} {% raw %} {# 'no' #}"
HOSTILE = replace(ORDERS, columns=(*ORDERS.columns, Column("note", "text", allowed=(MARKUP,), doc=MARKUP)))
ROW = ORDER | {"note": MARKUP, "load_id": 1, "loaded_at": "2024-06-02"}

Statuses = Callable[[], dict[str, str]]


@pytest.fixture
def statuses(warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Statuses:
    """Run the tests of the source; return the status of each."""
    project = tmp_path / "dbt"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("models", "snapshots", "daily_sales*"))
    monkeypatch.setattr(invocation, "PROJECT", project)
    monkeypatch.setattr(sources, "SOURCES", (HOSTILE.name,))
    (project / "models").mkdir()
    (project / "models" / "_sources.yml").write_text(sources.sources_text([HOSTILE]), encoding="utf-8")

    def run() -> dict[str, str]:
        command = invocation.command_line([["test"]], tmp_path)
        environment = invocation.environment(warehouse, "analytics")
        process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        results = json.loads((tmp_path / "target" / "run_results.json").read_text())["results"]
        assert results, process.stdout
        return {result["unique_id"].split(".")[2]: result["status"] for result in results}

    return run


def test_each_rule_is_tested(warehouse: str, statuses: Statuses) -> None:
    insert = sql.SQL("INSERT INTO orders ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, ROW)), sql.SQL(", ").join(map(sql.Placeholder, ROW))
    )
    with connect(warehouse) as session:
        create_table(session, HOSTILE)
        session.execute(insert, ROW)
    good = statuses()
    assert set(good.values()) == {"pass"}, good
    assert len(good) == len(HOSTILE.columns) + 2, "each column, the rules between columns, and the key"

    with psycopg.connect(warehouse) as session:
        session.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey, ALTER state DROP NOT NULL")
        bad = [changes for changes, _ in (BROKEN | UNREADABLE).values()]
        session.cursor().executemany(insert, [ROW | changes for changes in [*bad, {}, {"note": "x"}]])
    failed = statuses()
    assert failed.keys() == good.keys()
    passed = {name for name, status in failed.items() if status == "pass"}
    assert passed == {"orders_day_is_valid", "orders_limit_is_valid", "orders_ordered_at_is_valid"}, (
        "no case is about them alone"
    )
