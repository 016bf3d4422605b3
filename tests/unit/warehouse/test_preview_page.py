"""The page of a preview: every value escaped; and what a task does with it."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from rich.console import Console
from upath import UPath

from include.core.dag import publication
from include.core.settings import OBJECT_STORAGE
from include.core.storage import url_of
from include.core.warehouse.errors import LoadError
from include.core.warehouse.preview.model import (
    ChangedRow,
    Changes,
    Counts,
    Examples,
    LoadPreview,
    RejectedRow,
    Row,
    RunPreview,
)
from include.core.warehouse.preview.page import page
from include.core.warehouse.preview.terminal import show_load

if TYPE_CHECKING:
    from pathlib import Path

EVIL = """<script>alert(1)</script>'"&[red]\x1b[31m"""


def a_load(text: str = "a", **fields: Any) -> LoadPreview:
    row: Row = {text: text, "b": None}
    known: dict[str, Any] = {
        "dataset": text,
        "partition": text,
        "complete": False,
        "missing": [text],
        "rows": Counts(read=3, accepted=2, rejected=1),
        "rejected": [RejectedRow(file=text, line=2, field=text, value=text, rule=text)],
        "sample": [row],
        "changes": Changes(added=1, changed=1, removed=1),
        "columns": {text: 1},
        "examples": Examples(added=[row], changed=[ChangedRow(old=row, new={text: "c", "b": text})], removed=[row]),
    }
    return LoadPreview(**known | fields)


def test_no_value_becomes_markup() -> None:
    run = RunPreview(dag_id=EVIL, task_id=EVIL, run_id=EVIL, map_index=-1, refused=EVIL, loads=[a_load(EVIL)])
    html = page(run)
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&#x27;&quot;&amp;") >= 17


def test_no_value_changes_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_load(Console(force_terminal=True, color_system=None, width=400), a_load(EVIL))
    printed = capsys.readouterr().out
    assert """<script>alert(1)</script>'"&[red]�[31""" in printed
    assert "\x1b[31m" not in printed


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv(OBJECT_STORAGE.name, url_of(tmp_path))
    pushed: dict[str, str] = {}
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="manual__2024-06-01T00:00:00+00:00", try_number=1, map_index=4)
    ti.xcom_push = lambda key, value: pushed.update({key: value})
    return {"ti": ti, "dag_run": SimpleNamespace(start_date=None), "params": {"preview": True}, "pushed": pushed}


def publish(context: dict[str, Any], loads: list[LoadPreview], error: Exception | None = None) -> None:
    """A task that previews some loads, the last of which may fail."""
    with publication(context) as attempt:
        assert attempt.previews is not None
        attempt.previews.extend(loads)
        if error:
            raise error


def test_a_task_that_previews_is_skipped_and_links_its_page(context: dict[str, Any]) -> None:
    with pytest.raises(AirflowSkipException, match="nothing was written"):
        publish(context, [a_load(), a_load()])
    url = context["pushed"]["preview"]
    assert re.search(r"/preview/d/manual__2024-06-01T00-00-00-00-00/t-4---[0-9a-f]{16}\.html$", url)
    assert "Preview of d.t" in UPath(url).read_text()
    stored = json.loads(UPath(url).with_suffix(".json").read_bytes())
    assert (stored["dag_id"], stored["refused"], len(stored["loads"])) == ("d", None, 2)


def test_a_refused_load_fails_the_preview_and_its_page_says_why(context: dict[str, Any]) -> None:
    with pytest.raises(LoadError, match="every row is bad"):
        publish(context, [a_load()], LoadError("every row is bad"))
    assert "Refused: every row is bad" in UPath(context["pushed"]["preview"]).read_text()


@pytest.mark.parametrize("params", [{}, {"preview": False}, {"preview": "true"}, {"preview": None}])
def test_another_task_publishes(context: dict[str, Any], params: dict[str, Any]) -> None:
    with publication(context | {"params": params}) as attempt:
        assert attempt.previews is None
    assert context["pushed"] == {}
