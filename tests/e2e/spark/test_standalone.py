"""`spark-submit` to a standalone cluster, a master and a worker as processes: the same numbers as pandas.

Some lines are invalid.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

from devstack import spark
from devstack.environment import process_environment
from devstack.state import REPOSITORY
from include.core.storage import url_of
from include.domains.sessions import output, pandas_sessions

RETAIL = REPOSITORY / "include/data/retail"
GAP = 20
ODD = """9,A,x,many,2010-12-25 08:00:00,1.25,17850.0,UK
9,A,x,1,yesterday,1.25,17850.0,UK
9,A,x,1,2010-12-25 08:00:00,,17850.0,UK
9,A,"a ""quoted"", comma",3,2010-12-25 08:00:00,0.005,17850.0,UK
"""


def submit(master: str, environment: dict[str, str], lines: Path, attempt: Path) -> None:
    """Run the application to its end."""
    options = ["--master", master, "--driver-memory", "512m", "--executor-memory", "512m"]
    for setting in ("spark.sql.shuffle.partitions=2", "spark.ui.enabled=false", "spark.log.level=WARN"):
        options += ["--conf", setting]
    application = [str(REPOSITORY / "include/domains/sessions/sessions.py"), "--gap-minutes", str(GAP)]
    urls = ["--input", url_of(lines), "--output", url_of(attempt)]
    subprocess.run(["spark-submit", *options, *application, *urls], env=environment, check=True)


@pytest.mark.skipif(
    not spark.has_java(),
    reason="there is no Java: Spark was not tested; `make tools` gets it, or install Java 17 or 21",
)
@pytest.mark.weekly
def test_a_standalone_cluster_and_pandas_agree(tmp_path: Path) -> None:
    lines, run = tmp_path / "lines", tmp_path / "sessions/spark/run"
    lines.mkdir()
    for file in RETAIL.glob("*.csv"):
        (lines / file.name).symlink_to(file)
    header = (RETAIL / "online_retail_2010-12-22.csv").read_text().splitlines()[0]
    (lines / "odd.csv").write_text(f"{header}\n{ODD}")
    environment = process_environment()
    environment |= spark.environment(environment["PATH"])
    with spark.cluster(tmp_path, environment) as master:
        submit(master, environment, lines, run / "try-1")
    (executor,) = (tmp_path / "work").glob("app-*/*/stderr")
    assert "Successfully registered with driver" in executor.read_text()

    published = output.publish(UPath(run))
    raw = pandas_sessions.read(url_of(lines))
    typed = pandas_sessions.typed(raw)
    assert published.counts == pandas_sessions.summary(raw, typed)
    assert published.counts["unreadable"] == 3
    expected = pandas_sessions.sessions(typed[typed["status"] == "used"], GAP)
    sessions = output.load(UPath(run.parent)).to_pandas().sort_values(["customer_id", "session"], ignore_index=True)
    pd.testing.assert_frame_equal(sessions, expected)
    assert published.sessions > 100
