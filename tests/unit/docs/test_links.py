"""Every link in the documentation leads to a file of the repository, and to a heading of it."""

from __future__ import annotations

import re
from pathlib import Path

from devstack.removal.repository import Repository
from devstack.state import REPOSITORY

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
PAGES = Repository().files("*.md")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    assert {"README.md", "docs/README.md"} <= set(PAGES)
    wrong = []
    for name in PAGES:
        page = REPOSITORY / name
        for path, anchor in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
            target = page.parent / path if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                wrong.append(f"{name}: {path}#{anchor}")
    assert not wrong


def test_every_page_is_listed() -> None:
    index = (REPOSITORY / "docs/README.md").read_text(encoding="utf-8")
    pages = [Path(name).name for name in PAGES if Path(name).parent == Path("docs") and name != "docs/README.md"]
    assert [name for name in pages if f"({name})" not in index] == []
