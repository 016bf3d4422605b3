"""Composes the message of an alert, as Slack blocks with a summary for the notification, and as HTML mail.

Slack's Block Kit: https://docs.slack.dev/reference/block-kit/blocks. Limits: 150 characters in a header, 3,000 in a
section's text, 2,000 in one of its fields, 50 blocks. All blocks together may have about 13,200 characters; that limit
isn't documented, and counts a part of their JSON (https://github.com/slackapi/bolt-js/issues/2509).
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.ops.alerts.alert import Alert, Failure, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 5  # failures shown in full; the others are counted
LISTED = 100  # alerts listed in a digest
LINES = 5  # lines in a section
HEADER_LENGTH, SECTION_LENGTH, FIELD_LENGTH, LINK_LENGTH = 150, 3000, 2000, 900
BLOCKS_LENGTH = 12_000  # of the blocks' JSON
ADVICE_LENGTH = 500  # each character may be escaped with five
SUMMARY_LENGTH, PLAIN_LENGTH = 1000, 4000
NO_ERROR = "no error was reported: its process was killed, or its worker or the API server was lost; see the log"
TITLES = {
    Kind.FAILED: "Failed",
    Kind.SUCCEEDED: "Succeeded",
    Kind.NOTE: "Note",
    Kind.RETRY: "Tried again",
    Kind.LATE: "Late",
    Kind.IMPORT_ERROR: "Doesn't load",
    Kind.STALE: "Stale",
    Kind.GAP: "Gap",
    Kind.ZERO_ROWS: "No rows",
    Kind.UNDELIVERED: "Not delivered",
}
ICONS = {"act": ":red_circle:", "notify": ":large_blue_circle:"}


@dataclass(frozen=True)
class Facts:
    """The data of a message.

    Attributes:
        alert: the alert.
        severity: ``act`` or ``notify``.
        failures: all known failures of the run.
        streak: number of consecutive failed runs of the DAG before this one.
        runbook: URL or path of the DAG's runbook.
        remark: note about an expired silence; empty if there is none.
    """

    alert: Alert
    severity: str
    failures: Sequence[Failure] = ()
    streak: int = 0
    runbook: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Message:
    """A message in the formats of all media.

    Attributes:
        summary: one line, for notifications, digests and mail subjects.
        blocks: Slack blocks.
        html: body of a mail.
        plain: the same as plain text, in case Slack refuses the blocks; empty if the message can be split instead.
    """

    summary: str
    blocks: list[dict[str, Any]]
    html: str
    plain: str = ""


def compose(facts: Facts) -> Message:
    """Return the message."""
    alert = facts.alert
    details = [*_details(facts), *([("Note", facts.remark)] if facts.remark else [])]
    links = [(name, url) for name, url in _links(facts) if url]
    title = f"{TITLES[alert.kind]}: {_about(alert)}"
    lines = [_failure_line(failure) for failure in facts.failures[:SHOWN]]
    if others := len(facts.failures) - SHOWN:
        lines += [f"and {others} more"] if others > 0 else []
    if alert.text:
        lines.insert(0, alert.text)
    summary = _cut(" ".join(f"{title}. {_gist(facts)}".split()), SUMMARY_LENGTH)
    named = [f"{name}: {value}" for name, value in (*details, *links)]
    return Message(
        summary,
        _blocks(facts.severity, title, lines, details, links),
        _html(title, lines, details, links),
        _cut("\n".join([title, *lines, *named]), PLAIN_LENGTH),
    )


def digest(summaries: Sequence[str], severity: str) -> Message:
    """Return one message for many alerts, to avoid flooding the channel."""
    title = f"{len(summaries)} alerts"
    lines = list(summaries[:LISTED])
    if len(summaries) > LISTED:
        lines.append(f"and {len(summaries) - LISTED} more: table alert_outbox")
    summary = _cut(f"{title}: {summaries[0]}; …", SUMMARY_LENGTH)
    return Message(summary, _blocks(severity, title, lines, [], []), _html(title, lines, [], []))


def _about(alert: Alert) -> str:
    return (
        alert.dag_id if alert.kind not in {Kind.IMPORT_ERROR, Kind.STALE, Kind.GAP, Kind.ZERO_ROWS} else alert.subject
    )


def _gist(facts: Facts) -> str:
    """Return the most important information in one line."""
    failures = facts.failures
    if len(failures) > 1:
        return f"{len(failures)} tasks failed, the first: {_failure_line(failures[0])}"
    return _failure_line(failures[0]) if failures else facts.alert.text


def _failure_line(failure: Failure) -> str:
    return f"{failure.task}, try {failure.try_number} of {failure.max_tries}: {failure.error or NO_ERROR}"


def _details(facts: Facts) -> list[tuple[str, str]]:
    alert = facts.alert
    details = [
        ("DAG", alert.dag_id),
        ("Run", alert.run_id),
        ("Schedule", alert.schedule),
        ("Owner", alert.owner),
        ("History", _history(facts)),
        ("Next try", alert.next_try),
        ("What to do", alert.advice if alert.kind not in {Kind.SUCCEEDED, Kind.NOTE, Kind.RETRY} else ""),
    ]
    return [(name, value) for name, value in details if value]


def _history(facts: Facts) -> str:
    if facts.alert.kind is Kind.FAILED:
        if not facts.streak:
            return "first failure"
        return f"repeated: {facts.streak + 1} runs in a row failed"
    if facts.alert.kind is Kind.SUCCEEDED and facts.streak:
        runs = "run" if facts.streak == 1 else "runs in a row"
        return f"recovered after {facts.streak} failed {runs}"
    return ""


def _links(facts: Facts) -> list[tuple[str, str]]:
    log = next((failure.log_url for failure in facts.failures if failure.log_url), "")
    return [("Log", log), ("Run", facts.alert.run_url), ("Runbook", facts.runbook)]


def _blocks(
    severity: str, title: str, lines: list[str], details: list[tuple[str, str]], links: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Return the blocks, within the limits of each and of all together: the more texts, the less of each is shown."""
    share = 1
    while True:
        blocks = _shortened(severity, title, lines, details, links, share)
        if len(json.dumps(blocks, ensure_ascii=False)) <= BLOCKS_LENGTH:
            return blocks
        share *= 2


def _shortened(
    severity: str,
    title: str,
    lines: list[str],
    details: list[tuple[str, str]],
    links: list[tuple[str, str]],
    share: int,
) -> list[dict[str, Any]]:
    """Return the blocks with at most 1/``share`` of what Slack allows in each text but the header."""
    header = f"{ICONS[severity]} {title}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(header, HEADER_LENGTH), "emoji": True}}
    ]
    bullets = [f"• {_literal(line, SECTION_LENGTH // LINES // share - 3)}" for line in lines]
    blocks.extend(_section("\n".join(bullets[start : start + LINES])) for start in range(0, len(bullets), LINES))
    short = [(name, value) for name, value in details if name not in {"What to do", "Note"}]
    if short:
        fields = [_text(f"*{name}*\n{_literal(value, FIELD_LENGTH // share - 20)}") for name, value in short]
        blocks.append({"type": "section", "fields": fields})
    blocks.extend(
        _section(f"*{name}*\n{escape(_cut(value, ADVICE_LENGTH // share))}")
        for name, value in details
        if (name, value) not in short
    )
    if shown := [link for name, url in links if len(link := _link(name, url)) <= LINK_LENGTH // share]:
        blocks.append({"type": "context", "elements": [_text(" · ".join(shown))]})
    return blocks


def _link(name: str, url: str) -> str:
    if url.startswith("http"):
        return f"<{escape(url).replace('|', '%7C')}|{name}>"
    return f"{name}: {_literal(url, FIELD_LENGTH)}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    """Return a text object in which Slack makes no links of addresses and names."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _literal(text: str, length: int) -> str:
    """Return text of any origin as Slack's code, in which it reads no markup, in at most ``length`` characters."""
    line = " ".join(text.split()).replace("`", "'")
    if len(escape(line)) + 2 > length:
        line = _cut(line, length // len("&amp;") - 2)
    return f"`{escape(line)}`"


def escape(text: str) -> str:
    """Escape the control characters of Slack's markup, so that nobody is mentioned and nothing is linked."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _html(title: str, lines: list[str], details: list[tuple[str, str]], links: list[tuple[str, str]]) -> str:
    items = "".join(f"<li>{html.escape(line)}</li>\n" for line in lines)
    rows = "".join(f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>\n" for name, value in details)
    anchors = "\n".join(
        f'<a href="{html.escape(url)}">{name}</a>' if url.startswith("http") else f"{name}: {html.escape(url)}"
        for name, url in links
    )
    return (
        f"<h2>{html.escape(title)}</h2>\n"
        + (f"<ul>\n{items}</ul>\n" if items else "")
        + (f'<table style="text-align: left">\n{rows}</table>\n' if rows else "")
        + (f"<p>{anchors}</p>\n" if anchors else "")
    )
