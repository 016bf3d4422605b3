"""`docs/DAGS.md` says what the DAGs are, and every DAG has its lines in the table of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devstack.catalogue.facts import Facts
from devstack.catalogue.page import PAGE, page
from devstack.catalogue.read import read
from devstack.traffic import ASSET as TRAFFIC
from tests.integration.runs.table import ELSEWHERE, RUNS


@pytest.fixture(scope="module")
def dags() -> list[Facts]:
    return read()


def test_the_page_is_what_the_dags_are(dags: list[Facts]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(dags), "docs/DAGS.md isn't what the DAGs are: run `make docs`"


def lacking(dags: list[Facts], runs: dict[str, list[str]]) -> list[str]:
    """Kinds of runs that the DAGs allow and the table lacks, and those that it has in vain."""
    found = []
    for dag in dags:
        listed = set(runs.get(dag.dag_id, ()))
        found += [f"{dag.dag_id} may be run as {kind}: add a line" for kind in dag.kinds if kind not in listed]
        found += [f"{dag.dag_id} can't be run as {kind}: remove it" for kind in sorted(listed - set(dag.kinds))]
    found += [f"there is no DAG {dag_id}: remove its line" for dag_id in sorted(runs.keys() - {d.dag_id for d in dags})]
    return found


def test_every_dag_is_run_in_every_way_that_it_allows(dags: list[Facts]) -> None:
    problems = lacking(
        dags, {dag_id: [run[0] for run in runs] + ELSEWHERE.get(dag_id, []) for dag_id, runs in RUNS.items()}
    )
    assert not problems, "tests/integration/runs/table.py:\n" + "\n".join(problems)


def test_what_a_dag_reads_is_published(dags: list[Facts]) -> None:
    published = {asset for dag in dags for asset in dag.assets_out} | {TRAFFIC}
    read = {(dag.dag_id, asset) for dag in dags for asset in (*dag.assets_in, *dag.assets_read)}
    assert [(dag_id, asset) for dag_id, asset in sorted(read) if asset not in published] == []


def test_a_dag_without_a_line_is_seen(dags: list[Facts]) -> None:
    [spell] = [dag for dag in dags if dag.dag_id == "my_first_spell"]
    assert lacking([spell], {}) == [
        f"my_first_spell may be run as {kind}: add a line" for kind in ("manual", "scheduled", "backfill")
    ]
    assert lacking([], {"gone": ["manual"]}) == ["there is no DAG gone: remove its line"]
    assert lacking([replace(spell, kinds=["manual"])], {"my_first_spell": ["manual", "asset"]}) == [
        "my_first_spell can't be run as asset: remove it"
    ]


def test_groups_mapped_tasks_and_assets_are_drawn(tmp_path: Path) -> None:
    dag = Facts(
        dag_id="a_b",
        file="a_b.py",
        summary="Sums | more.",
        schedule="When `x` is there",
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
    (tmp_path / "a.md").write_text("")
    text = page([dag], tmp_path)
    assert "    asset_x([x]) --> a_b" in text
    assert "    asset_z([z]) -.-> a_b" in text
    assert "asset_y" not in text, "nobody reads it"
    assert "| runbook | [a.md](runbooks/a.md) |" in text
    assert "Sums \\| more." in text
    assert text.endswith(
        "    t2[three]\n    subgraph g_g[g]\n        t0[one]\n        subgraph g_g_h[g.h]\n            t1[[two]]\n"
        "        end\n    end\n    t0 --> t1\n    t1 --> t2\n```\n"
    )
