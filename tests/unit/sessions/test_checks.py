"""What is refused before Spark is started, and the messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from upath import UPath

from include.core.errors import ConfigurationError
from include.domains.sessions import checks
from include.domains.sessions.rules import COLUMNS


@pytest.mark.parametrize("host", ["local", "local[*]", "local[2]", "k8s://https://api:6443", "yarn"])
def test_masters(host: str) -> None:
    assert not list(checks.connection_problems(host, None, None))


def test_a_standalone_master_has_a_port() -> None:
    assert not list(checks.connection_problems("spark://master", 7077, "client"))
    assert "isn't a master" in next(checks.connection_problems("spark://master", None, None))


def test_cluster_mode_is_refused() -> None:
    assert "deploy-mode" in next(checks.connection_problems("local", None, "cluster"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("4gb", ""),
        ("512m", ""),
        ("4", "not a size"),
        ("lots", "not a size"),
        ("1.5g", "not a size"),
        ("200m", "at least 450m"),
        ("9g", "only 8192m available"),
    ],
)
def test_sizes(value: str, text: str) -> None:
    problems = " ".join(checks.memory_problems({"MEMORY": value}, driver="MEMORY", available=8 * 1024**3))
    assert text in problems if text else not problems


def test_executors_may_be_larger_than_this_machine() -> None:
    assert not list(checks.memory_problems({"MEMORY": "999t"}, driver="OTHER"))


def test_the_driver_may_not_be_larger_than_this_machine() -> None:
    assert "available" in next(checks.memory_problems({"MEMORY": "999t"}, driver="MEMORY"))


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_numbers(value: str) -> None:
    assert value in next(checks.number_problems("PARTITIONS", value))


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    spark, java = checks.program_problems("")
    assert ".ci/install spark" in spark
    assert "Java not found on PATH" in java
    assert str(tmp_path) in list(checks.program_problems(str(tmp_path)))[1]


def test_input(tmp_path: Path) -> None:
    assert "no CSV" in next(checks.input_problems("LINES", UPath(tmp_path)))
    assert "no CSV" in next(checks.input_problems("LINES", UPath(tmp_path / "missing.csv")))
    good, bad, empty = (tmp_path / name for name in ("good.csv", "other.csv", "zero.csv"))
    good.write_text(",".join(COLUMNS) + "\n")
    assert not list(checks.input_problems("LINES", UPath(good)))
    bad.write_text("a,b\n")
    empty.touch()
    problems = list(checks.input_problems("LINES", UPath(tmp_path)))
    assert [problem.split(":")[0] for problem in problems] == [str(bad), str(empty)]
    assert "columns are a, b; expected: " in problems[0]


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError, match="one\ntwo"):
        checks.raise_problems(iter(["one", "two"]))
    checks.raise_problems(iter([]))
