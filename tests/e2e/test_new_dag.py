"""A DAG of each kind that `make new-dag` writes passes the gate and its tests, runs, and can be removed again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devstack.new_dag.files import KINDS
from devstack.state import State
from tests.e2e.scratch import commit, run

MODULE = (sys.executable, "-m")
NAMES = {kind: f"written_{kind}" for kind in KINDS}
DAY = "2024-06-01"


def test_a_dag_of_each_kind_passes_runs_and_is_removed(clone: Path) -> None:
    before = run(clone, "git", "rev-parse", "HEAD^{tree}")
    for kind, name in NAMES.items():
        assert f"make run DAG={name}" in run(clone, *MODULE, "devstack.new_dag", name, "--kind", kind)
    run(clone, "ruff", "check", "--quiet", ".")
    run(clone, "ruff", "format", "--check", "--quiet", ".")
    run(clone, "lint-imports")
    run(clone, *MODULE, "pytest", "-q", "tests/gate/test_dags.py", *(f"tests/unit/{name}" for name in NAMES.values()))
    commit(clone)

    arrived = State.open(clone / ".devstack").root / f"storage/inbox/{NAMES['sensor']}/{DAY}.csv"
    arrived.parent.mkdir(parents=True)
    arrived.write_text("a,b\n1,2\n")
    try:
        for name in NAMES.values():
            run(clone, *MODULE, "devstack", "run", name, "--date", DAY)
        for kind in ("etl", "sql"):
            assert DAY in run(clone, *MODULE, "devstack", "sql", f"TABLE {NAMES[kind]}")
        assert "London" in run(clone, *MODULE, "devstack", "sql", f"TABLE {NAMES['dbt']}.{NAMES['dbt']}")
    finally:
        run(clone, *MODULE, "devstack", "clean")

    run(clone, *MODULE, "devstack.removal", *NAMES.values())
    commit(clone)
    assert run(clone, "git", "rev-parse", "HEAD^{tree}") == before


def test_a_source_of_files_says_where_they_go(clone: Path, tmp_path: Path) -> None:
    file = tmp_path / "parcels_2024-06-01.csv"
    file.write_text("id,sent_at,weight\n1,2024-06-01T08:00:00,2.5\n2,2024-06-01T09:00:00,0.5\n")
    output = run(clone, *MODULE, "devstack.new_dag", "parcels", "--kind", "files", "--from", str(file))
    inbox = clone / ".devstack/storage/inbox/parcels"
    assert f"files go to inbox/parcels/parcels_{{day}}.csv in object storage; for make run: {inbox}" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Shop",), "NAME='Shop': use 2 to 40 of a to z"),
        (("retail",), "it or its folder exists already; choose another NAME"),
        (("load_log",), " has the word load_log, so that `make remove-domain` couldn't"),
        (("conftest",), "NAME=conftest: there is a module tests/"),
        (("pg_tables",), "PostgreSQL has its own tables with pg_"),
        (("shop", "--kind", "files"), "KIND=files: set FROM=, a file with rows"),
        (("shop", "--kind", "ml", "--data", "x.csv"), "KIND=ml: set TARGET=, the column to predict"),
        (("shop", "--kind", "other"), "invalid choice: 'other'"),
    ],
)
def test_what_cannot_be_written_is_refused(clone: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in run(clone, *MODULE, "devstack.new_dag", *arguments, good=False)
    assert run(clone, "git", "status", "--porcelain") == ""


def test_a_dag_file_that_does_not_load_is_named_and_the_files_are_written(clone: Path) -> None:
    (clone / "dags/broken.py").write_text("from airflow.sdk import no_such_name\n")
    output = run(clone, *MODULE, "devstack.new_dag", NAMES["etl"], good=False)
    assert "no_such_name" in output
    assert "the pages made from the DAGs are as they were: correct what is named above" in output
    assert "CalledProcessError" not in output
    assert (clone / f"dags/{NAMES['etl']}.py").is_file()


def test_a_source_is_written_by_its_own_command(clone: Path) -> None:
    assert "include/domains/sources/shop.yaml" in run(clone, *MODULE, "devstack.new_dag", "shop", "--kind", "source")
    assert (clone / "include/domains/sources/shop.yaml").is_file()
