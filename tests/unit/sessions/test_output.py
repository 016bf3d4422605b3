"""The newest complete attempt is published atomically, without files of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from include.domains.sessions import output
from include.domains.sessions.output import UnaccountedRowsError
from include.domains.sessions.rules import SESSIONS, SUCCESS, SUMMARY


def attempt(home: Path, run: str, number: int, lines: int, *, complete: bool = True, used: int | None = None) -> UPath:
    """Write an engine's output; return the run's folder."""
    folder = home / run / f"try-{number}"
    for name in (SESSIONS, SUMMARY):
        (folder / name).mkdir(parents=True)
        if complete:
            (folder / name / SUCCESS).touch()
    pq.write_table(pa.table({"customer_id": [1], "lines": [lines]}), folder / SESSIONS / "part-0.parquet")
    used = lines if used is None else used
    counts = {"read": used, "unreadable": 0, "repeated": 0, "anonymous": 0, "used": used}
    (folder / SUMMARY / "part-0.json").write_text(json.dumps(counts))
    return UPath(home / run)


def test_the_newest_complete_attempt_is_published(tmp_path: Path) -> None:
    for number, complete in ((2, True), (10, True), (11, False)):
        run = attempt(tmp_path, "run", number, number, complete=complete)
    assert output.publish(run).attempt == "try-10"
    assert output.load(UPath(tmp_path))["lines"].to_pylist() == [10]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["try-10"]


def test_the_previous_result_is_kept_for_its_readers(tmp_path: Path) -> None:
    for number, run in enumerate(("first", "second", "third")):
        output.publish(attempt(tmp_path, run, 1, number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current.json", "second", "third"]


def test_an_incomplete_attempt_is_not_published(tmp_path: Path) -> None:
    output.publish(attempt(tmp_path, "good", 1, 5))
    bad = attempt(tmp_path, "bad", 1, 6, complete=False)
    with pytest.raises(FileNotFoundError, match="is complete"):
        output.publish(bad)
    output.discard(bad)
    assert not bad.exists()
    assert output.load(UPath(tmp_path))["lines"].to_pylist() == [5]


def test_lost_rows_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(UnaccountedRowsError, match="4 lines in 1 sessions"):
        output.publish(attempt(tmp_path, "run", 1, 4, used=5))
    assert output.current(UPath(tmp_path)) is None
    with pytest.raises(FileNotFoundError, match="nothing has been published"):
        output.load(UPath(tmp_path))


def test_a_published_attempt_is_not_discarded(tmp_path: Path) -> None:
    run = attempt(tmp_path, "run", 1, 4)
    output.publish(run)
    output.discard(run)
    output.discard(UPath(tmp_path / "never"))
    assert output.load(UPath(tmp_path)).num_rows == 1


@pytest.mark.parametrize(
    ("url", "foreign", "hadoop"),
    [
        ("s3://aws_default@bucket/a", "s3://bucket/a", "s3a://bucket/a"),
        ("s3://bucket/a", "s3://bucket/a", "s3a://bucket/a"),
        ("file:///a@b/c", "file:///a@b/c", "file:///a@b/c"),
    ],
)
def test_urls_for_other_programs(url: str, foreign: str, hadoop: str) -> None:
    path = UPath(url)
    assert output.plain_url(path) == foreign
    assert output.hadoop_url(path) == hadoop
