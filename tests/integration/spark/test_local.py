"""A real ``spark-submit`` on local[*], with rows that can't be used among the recorded ones."""

from __future__ import annotations

from pathlib import Path

from tests.integration.spark.submitted import RETAIL, assert_as_in_pandas, needs_java, submit

ODD = """9,A,x,many,2010-12-25 08:00:00,1.25,17850.0,UK
9,A,x,1,yesterday,1.25,17850.0,UK
9,A,x,1,2010-12-25 08:00:00,,17850.0,UK
9,A,"a ""quoted"", comma",3,2010-12-25 08:00:00,0.005,17850.0,UK
"""


@needs_java
def test_spark_and_pandas_agree(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.mkdir()
    for file in RETAIL.glob("*.csv"):
        (lines / file.name).symlink_to(file)
    header = (RETAIL / "online_retail_2010-12-22.csv").read_text().splitlines()[0]
    (lines / "odd.csv").write_text(f"{header}\n{ODD}")
    attempt = tmp_path / "sessions/spark/run/try-1"
    submit("local[*]", lines, attempt)
    assert assert_as_in_pandas(lines, attempt.parent).counts["unreadable"] == 3
