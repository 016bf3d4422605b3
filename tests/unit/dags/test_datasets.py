"""Every table is published by a DAG that can be previewed, and an alert reports it when it isn't loaded in time."""

from __future__ import annotations

from devstack.catalogue.facts import Facts
from devstack.state import REPOSITORY
from include.datasets import DATASETS

LOADING = ("publication(context)", "CsvToPostgresOperator", "create_dags")
# Table → why it has no `freshness`.
UNWATCHED = {"stock_totals": "only large_data_handoff loads it, and only by hand"}


def loaded_on_a_schedule(dags: list[Facts]) -> set[str]:
    """Assets of the DAGs that run on a schedule, and of the DAGs that these start."""
    published: set[str] = set()
    for _ in dags:
        for dag in dags:
            if "scheduled" in dag.kinds or published & set(dag.assets_in):
                published |= set(dag.assets_out)
    return published


def test_what_loads_a_table_with_a_history_can_accept_an_anomaly(dags: list[Facts]) -> None:
    uncompared = {dataset.name for dataset in DATASETS if dataset.history.off}
    loading = {
        dag.dag_id
        for dag in dags
        if any(word in (REPOSITORY / "dags" / dag.file).read_text() for word in LOADING)
        if not dag.assets_out or not set(dag.assets_out) <= uncompared
    }
    assert loading
    assert loading == {dag.dag_id for dag in dags if "accept" in dag.params}


def test_every_table_is_published(dags: list[Facts]) -> None:
    assert {dataset.name for dataset in DATASETS} <= {asset for dag in dags for asset in dag.assets_out}


def test_every_dag_that_loads_a_table_can_be_previewed(dags: list[Facts]) -> None:
    names = {dataset.name for dataset in DATASETS}
    loading = {dag.dag_id for dag in dags if names & set(dag.assets_out)}
    assert loading <= {dag.dag_id for dag in dags if "preview" in dag.params}


def test_a_table_that_is_loaded_on_a_schedule_has_a_freshness(dags: list[Facts]) -> None:
    without = {dataset.name for dataset in DATASETS if dataset.freshness is None}
    assert without <= set(UNWATCHED), "give the Dataset, or the source's YAML, a freshness; or say here why it has none"
    assert not without & loaded_on_a_schedule(dags)
