"""Under the index's mapping no line of a log is lost, and none is shown in another log."""

from __future__ import annotations

import json
from secrets import token_hex
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from airflow.providers.elasticsearch.log.es_task_handler import ElasticsearchRemoteLogIO

from deploy.compose import log_index
from deploy.compose.errors import SetupError
from devstack.state import free_port
from tests.integration.elasticsearch import Elasticsearch, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EACH = 600  # lines before the value changes its type, and after it; more than are sent at once


def upload(logs: ElasticsearchRemoteLogIO, dag_id: str, lines: list[dict[str, object]]) -> SimpleNamespace:
    """Send a task's log; return the task."""
    file = logs.base_log_folder / dag_id
    file.write_text("\n".join(map(json.dumps, lines)))
    task = SimpleNamespace(dag_id=dag_id, task_id="t", run_id="manual__2024-06-01", try_number=1, map_index=-1)
    logs.upload(file, task)  # type: ignore[arg-type]
    return task


@pytest.mark.parametrize(
    ("prepare", "stored", "in_both"), [(log_index.create, 2 * EACH, False), (lambda _: None, EACH, True)]
)
def test_every_line_is_in_the_log_of_its_task(
    prepare: Callable[[str], None], stored: int, in_both: bool, tmp_path: Path
) -> None:
    """Without the mapping, a bulk request that has a refused line is the last one, and a part of an id matches."""

    server = Elasticsearch()
    with serve(server) as url:
        prepare(url)
        logs = ElasticsearchRemoteLogIO(base_log_folder=tmp_path, host=url, write_to_es=True)
        values: list[object] = [*range(EACH), *["text"] * EACH]
        load = upload(
            logs, "load", [{"event": f"line {number}", "value": value} for number, value in enumerate(values)]
        )
        upload(logs, "up-load", [{"event": "of another DAG"}])
        _, lines = logs.read("", load)  # type: ignore[arg-type]
    assert len(server.indices["airflow-logs"].documents) == stored + 1
    assert any("of another DAG" in line for line in lines) is in_both


def test_a_line_of_any_form_is_kept(tmp_path: Path) -> None:
    forms: list[dict[str, object]] = [
        {"event": {"rows": 3}},
        {"event": ["a", {"b": 1}]},
        {"event": "named", "logger": {"name": "a"}},
        {"event": "late", "timestamp": "yesterday"},
        {"event": "last", "timestamp": "2024-06-01T00:00:00Z", "level": "info"},
    ]
    server = Elasticsearch()
    with serve(server) as url:
        log_index.create(url)
        logs = ElasticsearchRemoteLogIO(base_log_folder=tmp_path, host=url, write_to_es=True)
        task = upload(logs, "forms", forms)
        _, lines = logs.read("", task)  # type: ignore[arg-type]
    assert [document["event"] for document in server.indices["airflow-logs"].documents] == [
        line["event"] for line in forms
    ]
    assert "last" in lines[-1]


def test_a_server_that_is_away_is_an_error_without_its_password() -> None:
    password = token_hex()
    with pytest.raises(SetupError, match=r"^SPELLBOOK_ELASTICSEARCH: .* check the address.* Connection") as raised:
        log_index.create(f"http://user:{password}@127.0.0.1:{free_port()}")
    assert password not in str(raised.value)
