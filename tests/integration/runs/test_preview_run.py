"""`make preview DAG=…`: nothing is written, no later task runs, no asset is published, no alert is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date
from typing import Any

import pytest

from devstack import preview
from devstack.errors import StackError
from devstack.stack import Stack
from include.core.warehouse.preview.model import RunPreview
from tests.integration.runs.conftest import Make, server, until

Query = Callable[..., list[tuple[Any, ...]]]

DAY = date(2010, 12, 20)


def traces(stack: Stack, query: Query) -> list[Any]:
    """What a run that isn't a preview leaves at once: tables, loads and asset events."""
    with server(stack).connect("airflow") as metadata:
        events = metadata.execute(  # without those of the watcher: alerts of earlier tests may wait
            "SELECT count(*) AS number FROM asset_event JOIN asset ON asset.id = asset_id"
            " WHERE asset.name <> 'alerts_waiting'"
        ).fetchone()
    namespace = "relnamespace = 'public'::regnamespace"
    return [
        events,
        query(f"SELECT relname FROM pg_class WHERE relkind = 'r' AND {namespace} ORDER BY relname"),  # noqa: S608
        query("SELECT count(*) FROM load_log"),
    ]


def test_nothing_is_written_and_nothing_follows(make_run: Make, stack: Stack, query: Query) -> None:
    before = traces(stack, query)
    source = make_run("process_sales_data", DAY, preview=True)
    assert source.good, source.text
    assert "load skipped" in source.text
    assert "sales_data" in source.text
    mapped = make_run("retail_validate", preview=True, days=[str(DAY)])
    assert mapped.good, mapped.text
    for line in ("load_file[0] skipped", "publish skipped", "retail_lines", "1763"):
        assert line in mapped.text
    weather = make_run("weather_data_pipeline", date(2024, 6, 1), preview=True)
    assert weather.good, weather.text
    assert traces(stack, query) == before
    runs = re.findall(r"/runs/(manual__\S+)", source.text + mapped.text + weather.text)
    assert len(set(runs)) == 3
    messages = "SELECT dag_id, run_id, kind FROM alert_outbox WHERE run_id = ANY(%s)"
    later = re.findall(r"/runs/(manual__\S+)", make_run("my_first_spell").text)
    until(stack, lambda: query(messages, later), f"the message of {later}")
    assert query(messages, runs) == []


def test_the_page_and_its_json_are_linked(make_run: Make, stack: Stack) -> None:
    result = make_run("retail_validate", preview=True, days=[str(DAY)])
    assert result.good, result.text
    [line] = [line for line in result.text.splitlines() if line.startswith("Preview, nothing was written: ")]
    page = stack.state.root / line.rpartition(str(stack.state.root))[2].strip("/").strip()
    assert "retail_lines, partition 2010-12-20" in page.read_text()
    stored = RunPreview.model_validate_json(page.with_suffix(".json").read_bytes())
    [load] = stored.loads
    assert load.changes.added == load.rows.accepted == 1763
    assert "17850" not in json.dumps([load.sample, load.examples.model_dump()["added"]]), "a customer's number"


def test_marts_are_built_compared_and_dropped(make_run: Make, query: Query) -> None:
    published = make_run("analytics_dbt")
    assert published.good, published.text
    marts = ("campaign_results", "daily_sales", "support_resolution", "weather_months")
    query("DELETE FROM analytics.campaign_results WHERE job = 'student' RETURNING job")
    digests = [
        query(f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM analytics.{mart} AS t")  # noqa: S608
        for mart in marts
    ]
    result = make_run("analytics_dbt", preview=True)
    assert result.good, result.text
    for line in (*marts, "dbt_build skipped", "load_data skipped", "Added", "student"):
        assert line in result.text
    assert not query("SELECT FROM pg_namespace WHERE nspname ~ '_preview_'")
    assert digests == [
        query(f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM analytics.{mart} AS t")  # noqa: S608
        for mart in marts
    ]


def test_a_dag_that_loads_nothing_is_refused(make_run: Make) -> None:
    with pytest.raises(StackError, match="my_first_spell has no preview"):
        make_run("my_first_spell", preview=True)


def test_a_dag_has_a_preview_if_it_has_the_param() -> None:
    preview.require_preview({"dag_id": "a", "params": {"preview": {}}})
    with pytest.raises(StackError):
        preview.require_preview({"dag_id": "a", "params": None})


@pytest.mark.parametrize(
    ("paused", "scheduled", "summary", "refused"),
    [(True, True, "0 6 * * *", True), (True, True, "None", False), (True, False, "0 6 * * *", False),
     (False, True, "0 6 * * *", False)],
)  # fmt: skip
def test_a_preview_starts_no_schedule(paused: bool, scheduled: bool, summary: str, refused: bool) -> None:
    details = {"dag_id": "a", "params": {"preview": {}}, "is_paused": paused, "timetable_summary": summary}
    with pytest.raises(StackError, match="would start its schedule") if refused else nullcontext():
        preview.require_preview(details, scheduled=scheduled)
