"""The page generated from the DAGs, and the table of their runs."""

from __future__ import annotations

from dataclasses import replace

from devstack.catalogue.facts import Facts
from devstack.catalogue.page import page
from devstack.state import REPOSITORY
from devstack.traffic import ASSET as TRAFFIC
from tests.integration.runs.table import MANUAL, runs_without_a_line, wrong_lines

DAG = Facts(
    dag_id="a_b",
    file="a_b.py",
    runbook="a.md",
    summary="Sums | more.",
    schedule="When `x` is published",
    kinds=["manual", "asset"],
    owners=["me"],
    tags=["example"],
    assets_in=["x"],
    assets_read=["z"],
    assets_out=["y"],
    params={"n": "How many"},
    pools={"cpu": 2},
    queues=["default"],
    connections=["smtp_default"],
    tasks={"g.one": False, "g.h.two": True, "three": False},
    edges=[("g.one", "g.h.two"), ("g.h.two", "three")],
    groups={"g.one": ["g"], "g.h.two": ["g", "g.h"]},
)


def test_every_runbook_belongs_to_a_dag(dags: list[Facts]) -> None:
    pages = {path.name for path in (REPOSITORY / "docs" / "runbooks").iterdir()}
    assert {dag.runbook for dag in dags if dag.runbook} == pages - {"alerts.md", "README.md"}, (
        "alerts.md is for Prometheus"
    )


def test_every_asset_that_a_dag_reads_is_published(dags: list[Facts]) -> None:
    elsewhere = {TRAFFIC, "alerts_waiting"}  # by the model server's sample traffic, and by the triggerer
    published = {asset for dag in dags for asset in dag.assets_out} | elsewhere
    required = {(dag.dag_id, asset) for dag in dags for asset in (*dag.assets_in, *dag.assets_read)}
    assert [(dag_id, asset) for dag_id, asset in sorted(required) if asset not in published] == []


def test_missing_and_superfluous_lines_are_reported() -> None:
    table = "tests/integration/runs/table.py: "
    assert wrong_lines({"a": ["manual", "asset"]}, {"a": [MANUAL]}, {"a": ["asset"]}) == []
    assert wrong_lines({"a": ["manual", "scheduled"]}, {"a": [MANUAL]}, {}) == [
        f"{table}a may be run as scheduled: add a line"
    ]
    assert wrong_lines({"a": ["manual"]}, {"a": [MANUAL, ("asset", None, None)]}, {}) == [
        f"{table}a can't be run as asset: remove it"
    ]
    assert wrong_lines({}, {"gone": [MANUAL]}, {}) == [f"{table}there is no DAG gone: remove its line"]
    assert wrong_lines({"new": ["manual", "scheduled"]}, {}, {}) == []


def test_a_dag_without_a_line_is_run_by_hand_and_as_scheduled() -> None:
    kinds = {"my_first_spell": ["manual"], "new": ["manual", "scheduled", "backfill"], "by_hand": ["manual"]}
    assert runs_without_a_line(kinds) == {"new": [MANUAL, ("scheduled", None, None)], "by_hand": [MANUAL]}


def test_groups_mapped_tasks_and_assets_are_drawn() -> None:
    text = page([DAG])
    assert "    asset_x([x]) --> a_b" in text
    assert "    asset_z([z]) -.-> a_b" in text
    assert "asset_y" not in text, "no DAG reads it"
    assert "| runbook | [a.md](runbooks/a.md) |" in text
    assert "| runbook |" not in page([replace(DAG, runbook="")])
    assert "Sums \\| more." in text
    assert text.endswith(
        "    t2[three]\n    subgraph g_g[g]\n        t0[one]\n        subgraph g_g_h[g.h]\n            t1[[two]]\n"
        "        end\n    end\n    t0 --> t1\n    t1 --> t2\n```\n"
    )
