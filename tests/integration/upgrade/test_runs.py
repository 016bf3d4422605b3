"""Every DAG, in each kind of run that it allows, on old databases that were migrated."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from devstack import needs, spark
from devstack.state import REPOSITORY
from tests.integration.runs.conftest import maker
from tests.integration.runs.table import RUNS
from tests.integration.runs.test_every_dag import IN_JAVA
from tests.integration.upgrade.archive import AIRFLOW_3_2, RELEASE
from tests.integration.upgrade.conftest import upgraded


@pytest.mark.weekly
@pytest.mark.parametrize("archive", [RELEASE, AIRFLOW_3_2], ids=["first release", "Airflow 3.2"])
def test_every_run_ends_as_on_new_databases(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> None:
    with upgraded(tmp_path_factory, archive, REPOSITORY / "dags", schedule=False) as old:
        needs.wait_for_files(old.airflow, old.stack.dags)
        needed = {dag_id: set[str]() for dag_id in RUNS} | needs.graph(needs.assets(old.airflow))
        make_run = maker(old.stack)
        failed = []
        for dag_id in TopologicalSorter(needed).static_order():
            if dag_id in IN_JAVA and not spark.has_java():
                continue
            for kind, first, last, *conf in RUNS.get(dag_id, []):
                result = make_run(dag_id, first, last, kind, **(conf[0] if conf else {}))
                if not result.good:
                    failed.append(f"{dag_id} {kind}\n{result.text}")
        assert not failed, "\n".join(failed)
