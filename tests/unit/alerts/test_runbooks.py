"""Which runbook an alert links to."""

from __future__ import annotations

import pytest

from include.core.settings import RUNBOOKS
from include.ops.alerts.runbooks import address_of, runbook_of, runbooks_in


def test_the_first_link_is_the_dags_runbook() -> None:
    doc = "## On failure\nSee `docs/runbooks/retail.md`, then (docs/runbooks/process_source_data.md)."
    assert runbooks_in(doc) == ["retail.md", "process_source_data.md"]
    assert runbook_of(doc) == "retail.md"


@pytest.mark.parametrize("doc", [None, "", "Clear it.", "See docs/alerts.md.", "docs/runbooks/", "docs/runbooks/a.txt"])
def test_a_doc_without_a_link_has_no_runbook(doc: str | None) -> None:
    assert runbook_of(doc) == ""


def test_the_address_of_a_runbook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address_of("retail.md") == "docs/runbooks/retail.md"
    monkeypatch.setenv(RUNBOOKS.name, "https://example.org/docs/runbooks/")
    assert address_of("retail.md") == "https://example.org/docs/runbooks/retail.md"
    assert address_of("") == ""
