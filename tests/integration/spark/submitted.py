"""``spark-submit`` as a process, and whether Spark's result is that of pandas."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

from devstack import spark
from devstack.environment import process_environment
from devstack.state import REPOSITORY
from include.spark import output, pandas_sessions
from include.storage import url_of

RETAIL = REPOSITORY / "include/data/retail"
GAP = 20
needs_java = pytest.mark.skipif(
    not spark.java_is_there(), reason="NO JAVA HERE: SPARK WAS NOT TESTED; install default-jre-headless (17 or 21)"
)


def environment() -> dict[str, str]:
    """That of a process which calls Spark's programs."""
    values = process_environment()
    return values | spark.environment(values["PATH"])


def submit(master: str, lines: Path, attempt: Path) -> None:
    """Run the application to its end."""
    options = ["--master", master, "--driver-memory", "512m", "--executor-memory", "512m"]
    for setting in ("spark.sql.shuffle.partitions=2", "spark.ui.enabled=false", "spark.log.level=WARN"):
        options += ["--conf", setting]
    application = [str(REPOSITORY / "include/spark/sessions.py"), "--gap-minutes", str(GAP)]
    urls = ["--input", url_of(lines), "--output", url_of(attempt)]
    subprocess.run(["spark-submit", *options, *application, *urls], env=environment(), check=True, timeout=500)


def assert_as_in_pandas(lines: Path, run: Path) -> output.Published:
    """Publish a run and compare it, number by number; return what was published."""
    published = output.publish(UPath(run))
    raw = pandas_sessions.read(url_of(lines))
    typed = pandas_sessions.typed(raw)
    assert published.counts == pandas_sessions.summary(raw, typed)
    expected = pandas_sessions.sessions(typed[typed["fate"] == "used"], GAP)
    found = output.load(UPath(run.parent)).to_pandas().sort_values(["customer_id", "session"], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected)
    return published
