"""The text of alerts, line by line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from devstack.slack import refusal
from include.ops.alerts.alert import Alert, Failure, Kind
from include.ops.alerts.message import BLOCKS_LENGTH, NO_ERROR, TITLES, Facts, compose, digest, escape

ALERT = Alert(
    kind=Kind.FAILED,
    dag_id="weather_data_pipeline",
    run_id="scheduled__2024-06-01",
    owner="data-platform",
    schedule="At 00:00, UTC",
    advice="The error says what to fix; rows loaded before are unchanged.",
    run_url="https://airflow.example.org/dags/weather_data_pipeline/runs/scheduled__2024-06-01",
)
FAILURE = Failure(
    task_id="load_weather",
    try_number=4,
    max_tries=4,
    error="IncompleteLoadError: missing: Tokyo & <Osaka>",
    log_url="https://airflow.example.org/dags/weather_data_pipeline/runs/scheduled__2024-06-01/tasks/load_weather",
)
RUNBOOK = "https://github.com/acme/spellbook/blob/main/docs/runbooks/weather_data_pipeline.md"
FACTS = Facts(ALERT, "act", (FAILURE,), streak=2, runbook=RUNBOOK)

GOLDEN = """\
HEADER :red_circle: Failed: weather_data_pipeline
• `load_weather, try 4 of 4: IncompleteLoadError: missing: Tokyo &amp; &lt;Osaka&gt;`
FIELD *DAG*
`weather_data_pipeline`
FIELD *Run*
`scheduled__2024-06-01`
FIELD *Schedule*
`At 00:00, UTC`
FIELD *Owner*
`data-platform`
FIELD *History*
`repeated: 3 runs in a row failed`
*What to do*
The error says what to fix; rows loaded before are unchanged.
CONTEXT \
<https://airflow.example.org/dags/weather_data_pipeline/runs/scheduled__2024-06-01/tasks/load_weather|Log> · \
<https://airflow.example.org/dags/weather_data_pipeline/runs/scheduled__2024-06-01|Run> · \
<https://github.com/acme/spellbook/blob/main/docs/runbooks/weather_data_pipeline.md|Runbook>"""

MAIL = """\
<h2>Failed: weather_data_pipeline</h2>
<ul>
<li>load_weather, try 4 of 4: IncompleteLoadError: missing: Tokyo &amp; &lt;Osaka&gt;</li>
</ul>
<table style="text-align: left">
<tr><th>DAG</th><td>weather_data_pipeline</td></tr>
<tr><th>Run</th><td>scheduled__2024-06-01</td></tr>
<tr><th>Schedule</th><td>At 00:00, UTC</td></tr>
<tr><th>Owner</th><td>data-platform</td></tr>
<tr><th>History</th><td>repeated: 3 runs in a row failed</td></tr>
<tr><th>What to do</th><td>The error says what to fix; rows loaded before are unchanged.</td></tr>
</table>
<p><a href="https://airflow.example.org/dags/weather_data_pipeline/runs/scheduled__2024-06-01/tasks/load_weather">Log</a>
<a href="https://airflow.example.org/dags/weather_data_pipeline/runs/scheduled__2024-06-01">Run</a>
<a href="https://github.com/acme/spellbook/blob/main/docs/runbooks/weather_data_pipeline.md">Runbook</a></p>
"""


def rendered(blocks: list[dict[str, Any]]) -> str:
    """The blocks as lines of text, in reading order."""
    lines = []
    for block in blocks:
        if block["type"] == "header":
            lines.append(f"HEADER {block['text']['text']}")
        elif block["type"] == "context":
            lines += [f"CONTEXT {element['text']}" for element in block["elements"]]
        elif "fields" in block:
            lines += [f"FIELD {field['text']}" for field in block["fields"]]
        else:
            lines.append(block["text"]["text"])
    return "\n".join(lines)


def check_limits(blocks: list[dict[str, Any]]) -> None:
    """Check Slack's limits for a message, and that its blocks lie well below that of all together."""
    assert refusal({"text": "x", "blocks": blocks}) == ""
    assert len(json.dumps(blocks, ensure_ascii=False)) <= BLOCKS_LENGTH


def test_a_slack_message_line_by_line() -> None:
    message = compose(FACTS)
    assert rendered(message.blocks) == GOLDEN
    assert message.summary == (
        "Failed: weather_data_pipeline. load_weather, try 4 of 4: IncompleteLoadError: missing: Tokyo & <Osaka>"
    )
    check_limits(message.blocks)


def test_a_mail_line_by_line() -> None:
    assert compose(FACTS).html == MAIL


def test_a_first_failure_is_labelled() -> None:
    assert "FIELD *History*\n`first failure`" in rendered(compose(replace(FACTS, streak=0)).blocks)


def test_a_failure_without_an_error_names_the_usual_reasons() -> None:
    facts = replace(FACTS, failures=(replace(FAILURE, error=""),))
    assert f"• `load_weather, try 4 of 4: {NO_ERROR}`" in rendered(compose(facts).blocks)


def test_a_retry_names_the_time_of_the_next_try_and_asks_for_no_action() -> None:
    alert = replace(ALERT, kind=Kind.RETRY, next_try="at 14:05:00 UTC, in 5 min")
    text = rendered(compose(Facts(alert, "notify", (replace(FAILURE, try_number=1),))).blocks)
    assert text.startswith("HEADER :large_blue_circle: Tried again: weather_data_pipeline\n• `load_weather, try 1 of 4")
    assert "FIELD *Next try*\n`at 14:05:00 UTC, in 5 min`" in text
    assert "What to do" not in text


def test_a_path_is_not_a_link() -> None:
    text = rendered(compose(replace(FACTS, runbook="docs/runbooks/weather_data_pipeline.md")).blocks)
    assert text.endswith("· Runbook: `docs/runbooks/weather_data_pipeline.md`")


HOSTILE = (
    "<!channel> <@U024BE7LH> <https://evil.example|Log> *bold* _it_ ~no~ `code` ```x``` :tada: https://evil.example"
)
LINK = re.compile(r"<https://airflow\.example\.org/[^<>|]*\|(Log|Run)>")


@pytest.mark.parametrize("length", [1, 40])
@pytest.mark.parametrize("kind", Kind)
def test_a_text_of_any_origin_mentions_nobody_and_formats_nothing(kind: Kind, length: int) -> None:
    texts = dict.fromkeys(("dag_id", "run_id", "owner", "schedule", "next_try", "text", "subject"), HOSTILE * length)
    failed = replace(FAILURE, task_id=HOSTILE, error=HOSTILE * length, log_url=f"https://airflow.example.org/{HOSTILE}")
    alert = Alert(**(vars(ALERT) | texts | {"kind": kind, "failures": (failed,)}))
    message = compose(Facts(alert, "act", (failed,), runbook=HOSTILE))
    check_limits(message.blocks)
    assert "\n" not in message.summary
    for block in message.blocks:
        for text in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]:
            if text is not None and text["type"] == "mrkdwn":
                assert text["verbatim"]
                outside = re.sub(r"`[^`\n]*`", "", LINK.sub("", text["text"]))
                outside = re.sub(r"^\*[A-Z][A-Za-z ]*\*$", "", outside, flags=re.MULTILINE)
                assert not re.search(r"[<>*_~`]|:tada:|evil", outside), outside
                assert not re.search(r"<[!@#]", text["text"])


def test_many_failures_are_counted() -> None:
    failures = tuple(replace(FAILURE, map_index=index) for index in range(100))
    message = compose(replace(FACTS, failures=failures))
    assert "load_weather[4]" in rendered(message.blocks)
    assert "load_weather[5]" not in rendered(message.blocks)
    assert "• `and 95 more`" in rendered(message.blocks)
    assert message.summary.startswith("Failed: weather_data_pipeline. 100 tasks failed, the first: load_weather[0],")


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_fits_into_slack(kind: Kind) -> None:
    long_texts = dict.fromkeys(("subject", "schedule", "advice", "text", "next_try"), "x" * 400)
    failures = tuple(replace(FAILURE, map_index=index, error="&" * 300) for index in range(20))
    alert = Alert(**(vars(ALERT) | long_texts | {"kind": kind, "dag_id": "d" * 250, "failures": failures}))
    message = compose(Facts(alert, "act", failures, 3, RUNBOOK, "a remark"))
    check_limits(message.blocks)
    assert TITLES[kind] in message.summary
    assert "\n" not in message.summary


@pytest.mark.parametrize("text", ["<", '"', "\\", "x", "é", "\U0001f525"])
def test_a_digest_of_hundreds_fits_into_slack(text: str) -> None:
    message = digest([f"Failed: dag_{number}. {text * 980}" for number in range(300)], "act")
    check_limits(message.blocks)
    assert "and 200 more: table alert_outbox" in rendered(message.blocks)


@pytest.mark.parametrize("text", ["x", "&", '"', "é ", "`"])
@pytest.mark.parametrize("kind", Kind)
def test_texts_of_any_length_fit_into_slack(kind: Kind, text: str) -> None:
    names = ("dag_id", "run_id", "owner", "schedule", "advice", "text", "next_try", "subject", "run_url")
    failures = tuple(replace(FAILURE, map_index=index, error=text * 20_000) for index in range(20))
    alert = Alert(**(vars(ALERT) | dict.fromkeys(names, text * 20_000) | {"kind": kind, "failures": failures}))
    message = compose(Facts(alert, "act", failures, 3, text * 20_000, text * 20_000))
    check_limits(message.blocks)
    assert len(message.summary) <= 1000
    assert len(message.plain) <= 4000
    assert refusal({"text": escape(message.plain)}) == ""


def test_what_is_short_is_shown_in_full_beside_what_is_long() -> None:
    failures = tuple(replace(FAILURE, map_index=index, error="x" * 5000) for index in range(5))
    text = rendered(compose(Facts(replace(ALERT, schedule="s" * 5000), "act", failures)).blocks)
    assert "FIELD *DAG*\n`weather_data_pipeline`" in text
    assert "The error says what to fix; rows loaded before are unchanged." in text


def test_the_plain_text_says_the_same() -> None:
    assert compose(FACTS).plain == (
        "Failed: weather_data_pipeline\n"
        "load_weather, try 4 of 4: IncompleteLoadError: missing: Tokyo & <Osaka>\n"
        "DAG: weather_data_pipeline\n"
        "Run: scheduled__2024-06-01\n"
        "Schedule: At 00:00, UTC\n"
        "Owner: data-platform\n"
        "History: repeated: 3 runs in a row failed\n"
        "What to do: The error says what to fix; rows loaded before are unchanged.\n"
        "Log: https://airflow.example.org/dags/weather_data_pipeline/runs/scheduled__2024-06-01/tasks/load_weather\n"
        "Run: https://airflow.example.org/dags/weather_data_pipeline/runs/scheduled__2024-06-01\n"
        f"Runbook: {RUNBOOK}"
    )


def test_an_alert_is_restored_from_storage() -> None:
    alert = replace(ALERT, failures=(FAILURE,))
    again = Alert.from_dict(alert.to_dict() | {"a_field_of_a_later_version": 1})
    assert again == alert
    assert again.key == alert.key
    assert replace(alert, text="other words", advice="").key == alert.key
    assert replace(alert, attempt="1").digest != alert.digest
