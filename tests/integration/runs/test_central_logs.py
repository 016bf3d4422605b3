"""Task logs in Elasticsearch, with the settings of the Compose profile, are shown after the local files are gone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploy.compose import log_index
from devstack.api import Airflow
from devstack.state import REPOSITORY
from devstack.waiting import wait_for
from tests.integration.conftest import folder_in_memory
from tests.integration.elasticsearch import Elasticsearch, serve
from tests.integration.runs.conftest import maker, started
from tests.integration.runs.planted.chronicle import LINES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstack.stack import Stack

PLANTED = Path(__file__).parent / "planted"


def compose_settings(url: str) -> dict[str, str]:
    """Return Airflow's settings for logs in the Compose stack with `deploy/logging.env`."""
    lines = (REPOSITORY / "deploy" / "logging.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert given["SPELLBOOK_ELASTICSEARCH"] == "http://elasticsearch:9200"
    given["SPELLBOOK_ELASTICSEARCH"] = url
    base = yaml.safe_load((REPOSITORY / "deploy" / "compose" / "base.yaml").read_text())
    return {
        name: re.sub(r"\$\{(\w+):-([^}]*)\}", lambda variable: given.get(variable[1], variable[2]), value)
        for name, value in base["services"]["airflow"]["environment"].items()
        if name.startswith(("AIRFLOW__LOGGING__", "AIRFLOW__ELASTICSEARCH__"))
    }


@pytest.fixture
def elasticsearch() -> Elasticsearch:
    return Elasticsearch()


@pytest.fixture
def stack(elasticsearch: Elasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    dags = tmp_path_factory.mktemp("dags")
    shutil.copy(PLANTED / "chronicle.py", dags)
    with serve(elasticsearch) as url, folder_in_memory(tmp_path_factory) as root:
        log_index.create(url)
        with started(root, dags, compose_settings(url)) as stack:
            yield stack


def shown(stack: Stack, task: dict[str, Any], try_number: int) -> list[str]:
    return Airflow.of(stack.state).log({**task, "try_number": try_number})


def test_the_log_of_each_try_is_read_from_elasticsearch(stack: Stack, elasticsearch: Elasticsearch) -> None:
    result = maker(stack)("chronicle")
    assert result.good, result.text
    folder = stack.state.airflow_home / "logs" / "dag_id=chronicle"

    def missing() -> int:
        """Return how many lines aren't stored yet: a log is sent after its task has ended."""
        written = sum(len(file.read_text().splitlines()) for file in folder.rglob("*.log"))
        return written - sum(len(index.documents) for index in elasticsearch.indices.values())

    wait_for(lambda: not missing(), "both logs to be stored", progress=missing)
    shutil.rmtree(folder)
    [run] = Airflow.of(stack.state).get("/dags/chronicle/dagRuns")["dag_runs"]
    [task] = Airflow.of(stack.state).task_instances("chronicle", run["dag_run_id"])
    first, second = (shown(stack, task, number) for number in (1, 2))
    assert [line for line in first if re.fullmatch(r"line \d+", line)] == [f"line {line}" for line in range(LINES)]
    assert any("ValueError: the first try fails, with ***" in line for line in first)
    assert "try 1 begins with ***" in first
    assert "try 2 begins with ***" in second
    assert not [line for line in second if "try 1" in line or "first try" in line]
    for log in (first, second):
        assert len([line for line in log if line == "a value of another type"]) == 3
        assert "sesame" not in "\n".join(log)
