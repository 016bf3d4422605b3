"""Slack's Block Kit as a web page, for a picture: only the blocks that our alerts use.

Formats: https://docs.slack.dev/reference/block-kit/blocks and https://docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

EMOJI = {
    ":red_circle:": '<span style="color: #dd2e44">●</span>',
    ":large_blue_circle:": '<span style="color: #3b88c3">●</span>',
}
MARKUP = {
    r"<(http[^|>]+)\|([^>]+)>": r'<a href="\1">\2</a>',
    r"\*([^*\n]+)\*": r"<b>\1</b>",
    r"`([^`]+)`": r"<code>\1</code>",
}
PAGE = """<style>
body {{ margin: 0; font: 15px 'DejaVu Sans', sans-serif; color: #1d1c1d }}
main {{ display: inline-block; width: 680px; padding: 18px 22px; border-left: 4px solid #ddd }}
h3 {{ margin: 0 0 10px }} section {{ margin: 8px 0; line-height: 1.45 }} footer {{ font-size: 13px; color: #616061 }}
.fields {{ display: grid; grid-template-columns: 1fr 1fr; gap: 10px }} code {{ color: #c01343 }}
</style><main>{blocks}</main>"""


def page(blocks: Iterable[dict[str, Any]]) -> str:
    """Return the page.

    Raises:
        KeyError: if a block has a type that isn't known here.
    """
    return PAGE.format(blocks="\n".join(RENDERED[block["type"]](block) for block in blocks))


def _header(block: dict[str, Any]) -> str:
    return f"<h3>{_text(block['text'])}</h3>"


def _section(block: dict[str, Any]) -> str:
    if "text" in block:
        return f"<section>{_text(block['text'])}</section>"
    fields = "".join(f"<div>{_text(field)}</div>" for field in block["fields"])
    return f'<section class="fields">{fields}</section>'


def _context(block: dict[str, Any]) -> str:
    return f"<footer>{' '.join(_text(element) for element in block['elements'])}</footer>"


def _text(text: dict[str, Any]) -> str:
    html = str(text["text"])
    for name, sign in EMOJI.items():
        html = html.replace(name, sign)
    if text["type"] == "mrkdwn":
        for pattern, replacement in MARKUP.items():
            html = re.sub(pattern, replacement, html)
    return html.replace("\n", "<br>")


RENDERED = {"header": _header, "section": _section, "context": _context}
