"""`make new-source` with an API's URL: the drafted YAML is valid, and the run of its DAG succeeds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.api_page import ask
from devstack.stack import Stack
from devstack.state import STATE_VARIABLE
from include.core.errors import ForbiddenAddressError, PermanentUpstreamError
from include.core.settings import PRIVATE_NETWORKS
from include.core.sources.files import load_source
from include.core.sources.scaffold import new_source_of_api
from tests.integration.runs.conftest import Make

DEFINE = """
from pathlib import Path
from include.core.sources.factory import create_dags
globals().update(create_dags(Path(__file__).parent / "drafted", "postgres_default"))
"""
FORMATS = {
    "tickets": "/support",
    "by_number": "/paged/number/support?day=2025-03-10&page=1&per_page=20",
    "by_link": "/paged/link/support?date=2025-03-10&per_page=1000",
    "by_offset": "/paged/offset/support?start=1741579200&end=1741665600&offset=0&limit=1000",
}


@pytest.fixture(autouse=True)
def this_stack(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack that `make new-source` uses."""
    monkeypatch.setenv(STATE_VARIABLE, str(stack.state.root))
    monkeypatch.setenv(PRIVATE_NETWORKS.name, PRIVATE_NETWORKS.embedded)


@pytest.fixture
def folder(stack: Stack) -> Iterator[Path]:
    """A folder of sources that the stack's DAGs read."""
    folder = stack.dags / "drafted"
    folder.mkdir()
    definition = stack.dags / "process_drafted_data.py"
    definition.write_text(DEFINE)
    yield folder
    definition.unlink()
    shutil.rmtree(folder)


def drafted(name: str, url: str, root: Path) -> Path:
    (root / "include/domains/sources").mkdir(parents=True, exist_ok=True)
    answer = ask(name, url)
    [config] = new_source_of_api(name, answer.conn_id, answer.path, answer.page, root)
    return config


def test_a_drafted_source_runs(make_run: Make, folder: Path, tmp_path: Path) -> None:
    config = drafted("tickets", FORMATS["tickets"], tmp_path)
    assert "\napi:" not in config.read_text(), "the format is the default"
    assert "key: [ticket_id]" in config.read_text()
    shutil.copy(config, folder)
    result = make_run("process_tickets_data")
    assert result.good, result.text


def test_each_paging_that_shows_is_drafted(tmp_path: Path) -> None:
    apis = {name: load_source(drafted(name, url, tmp_path)).api for name, url in FORMATS.items()}
    kinds = {name: (api.rows, api.total, api.paging.kind, api.dates.start) for name, api in apis.items()}
    assert kinds == {
        "tickets": ("data", "total", "next_url", "since"),
        "by_number": ("result.items", "meta.count", "page", "day"),
        "by_link": ("$", None, "link", "date"),
        "by_offset": ("items", "count", "offset", "start"),
    }


def test_a_whole_url_has_its_own_connection(tmp_path: Path) -> None:
    base = ask("tickets", "/support").base
    config = drafted("requests", f"{base}/support", tmp_path)
    source = load_source(config)
    assert (source.connection, source.path) == ("requests_default", "/support")


def test_an_api_that_refuses_or_may_not_be_called_is_named() -> None:
    with pytest.raises(PermanentUpstreamError, match=r"answered 400 .* set date, or since and until"):
        ask("tickets", "/support?limit=5")
    with pytest.raises(ForbiddenAddressError, match="not a public address"):
        ask("tickets", "http://10.0.0.1/support")
