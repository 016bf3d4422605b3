"""The site's table of contents, and its links to folders; both follow the pages."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

INDEX = "docs/README"
PROJECT = ("CONTRIBUTING", "CHANGELOG", "SECURITY", "AGENTS", "include/data/README")
TABLE = re.compile(r"^\| *(\w+) *\|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)
LINK = re.compile(r"\]\(([\w./-]+)\)")
EXTERNAL = re.compile(
    r'<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)="(?:https?:)?//[^"]*"|@import|url\(["\']?(?:https?:)?//'
)


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Give the home page a menu: that of the tables in docs/README.md. Let a folder's README list its pages."""
    if name == app.config.root_doc:
        index = (Path(app.srcdir) / f"{INDEX}.md").read_text(encoding="utf-8")
        menus = [("Spellbook", [INDEX]), *((title, _pages(app, rows)) for title, rows in TABLE.findall(index))]
        rest = sorted(set(_pages(app, index)) - {page for _, pages in menus for page in pages})
        for title, pages in (*menus, ("examples", rest), ("project", PROJECT)):
            source[0] += _toctree(pages, f":hidden:\n:caption: {title.capitalize()}")
    elif name.endswith("/README") and name not in {INDEX, *PROJECT}:
        folder = name.removesuffix("README")
        inside = (page for page in app.env.found_docs if page.startswith(folder) and page != name)
        source[0] += _toctree(sorted(inside, key=_number), ":maxdepth: 1")


def _pages(app: Sphinx, text: str) -> list[str]:
    """Return the pages that a part of docs/README.md links to; for a folder, its README."""
    folder = PurePosixPath(INDEX).parent
    paths = (str(folder / path) for path in LINK.findall(text))
    return [f"{path}/README" if (Path(app.srcdir) / path).is_dir() else path.removesuffix(".md") for path in paths]


def _toctree(pages: list[str] | tuple[str, ...], options: str) -> str:
    return "\n".join(["\n\n```{toctree}", options, "", *(f"/{page}" for page in pages), "```\n"])


def _number(page: str) -> tuple[int, str]:
    """Sort decisions by number, other pages by name."""
    match = re.search(r"/(\d+)-", page)
    return int(match[1]) if match else 0, page


def link_folders(app: Sphinx, doctree: nodes.document) -> None:
    """Lead links to a folder to its README; one without a README can be read in the repository only: show its name."""
    root = Path(app.srcdir)
    for link in list(doctree.findall(pending_xref)):
        path = (root / link["refdoc"]).parent / link["reftarget"] if link.get("reftype") == "myst" else root / "-"
        if not path.is_dir():
            continue
        if (path / "README.md").is_file():
            link["refdomain"], link["reftargetid"] = "doc", None
            link["reftarget"] = path.resolve().relative_to(root).joinpath("README").as_posix()
        else:
            link.replace_self(link.children)


def refuse_external(app: Sphinx, error: Exception | None) -> None:
    """Check that pages load nothing from another server.

    Raises:
        ExtensionError: if one does.
    """
    if error is None:
        files = (path for path in Path(app.outdir).rglob("*") if path.suffix in {".html", ".css"})
        for path in files:
            if match := EXTERNAL.search(path.read_text(encoding="utf-8")):
                raise ExtensionError(f"{path}: loads something from another server: {match[0]}")


def setup(app: Sphinx) -> None:
    """Connect the functions."""
    app.connect("source-read", add_contents)
    app.connect("doctree-read", link_folders)
    app.connect("build-finished", refuse_external)
