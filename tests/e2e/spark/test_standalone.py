"""The application on a standalone cluster: a master and a worker, each a process of its own."""

from __future__ import annotations

from pathlib import Path

from devstack import spark
from tests.integration.spark.submitted import RETAIL, assert_as_in_pandas, environment, needs_java, submit


@needs_java
def test_a_standalone_cluster_does_the_work(tmp_path: Path) -> None:
    run = tmp_path / "sessions/spark/run"
    with spark.cluster(tmp_path, environment()) as master:
        submit(master, RETAIL, run / "try-1")
    assert assert_as_in_pandas(RETAIL, run).sessions > 100
    (executor,) = (tmp_path / "work").glob("app-*/*/stderr")
    assert "Successfully registered with driver" in executor.read_text()
