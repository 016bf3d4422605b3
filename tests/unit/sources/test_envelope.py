"""What one response tells of an API's format."""

from __future__ import annotations

from typing import Any

import pytest

from include.core.errors import UnreadableError
from include.core.sources.api import Api
from include.core.sources.draft import draft_of_api
from include.core.sources.envelope import recognise_envelope

ROWS = [{"id": 1, "tags": ["a"]}, {"id": 2, "tags": []}]


@pytest.mark.parametrize(
    ("query", "body", "link", "block"),
    [
        ({"day": "2024-06-01"}, ROWS, "", {"rows": "$", "paging": {"kind": "none"}}),
        ({}, ROWS, '</a>; rel="next"', {"rows": "$", "paging": {"kind": "link"}, "dates": {}}),
        ({}, {"d": {"r": ROWS}, "meta": {"total_count": 9}}, "", {"rows": "d.r", "total": "meta.total_count"}),
        ({"limit": "2"}, {"count": 2, "items": ROWS, "next": "/b"}, "", {"total": None}),
        ({}, {"items": ROWS, "paging": {"next": "?p=2"}}, "", {"paging": {"kind": "next_url", "url": "paging.next"}}),
        ({"q": "x", "n": "1"}, {"items": ROWS}, "", {"query": {"q": "x", "n": "1"}}),
        ({"api_key": "s3cret"}, {"items": ROWS}, "", {"key": {"parameter": "api_key"}}),
        (
            {"page_token": "a"},
            {"items": ROWS, "nextPageToken": "b"},
            "",
            {"paging": {"kind": "cursor", "cursor": "nextPageToken", "parameter": "page_token"}},
        ),
        (
            {"from": "2024-06-01T00:00:00Z", "to": "2024-06-02T00:00:00Z"},
            ROWS,
            "",
            {"dates": {"start": "from", "end": "to", "format": "datetime", "includes_end": False}},
        ),
    ],
)
def test_the_block_fits_the_response(query: dict[str, str], body: Any, link: str, block: dict[str, Any]) -> None:
    envelope = recognise_envelope(query, body, link)
    assert {name: envelope.block.get(name) for name in block} == block
    Api.model_validate({name: value for name, value in envelope.block.items() if value != {}})
    yaml = draft_of_api("orders", "sources_default", "/orders", envelope)
    assert "# nested, so not loaded: tags" in yaml
    assert "s3cret" not in yaml


@pytest.mark.parametrize("body", [[], {}, {"items": []}, {"items": [1]}, "x", None])
def test_a_response_without_rows_is_refused(body: Any) -> None:
    with pytest.raises(UnreadableError, match="no list of objects"):
        recognise_envelope({}, body, "")
