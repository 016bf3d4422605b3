"""Draws Mermaid flowcharts as SVG when the site is built; a browser would need Mermaid's script of several megabytes.

Of Mermaid it knows what the pages use: nodes in four shapes, both kinds of edge, subgraphs. Anything else is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pygraphviz
from docutils import nodes
from docutils.parsers.rst import Directive

if TYPE_CHECKING:
    from sphinx.application import Sphinx

NODE = r"(\w+)(?:(\[\[|\(\[|\[\(|\[)(.+?)(?:\]\]|\]\)|\)\]|\]))?"
LINE = {
    "begin": re.compile(r"flowchart (LR|TB|TD)"),
    "frame": re.compile(r"subgraph (\w+)\[(.+)\]"),
    "end": re.compile(r"end"),
    "edge": re.compile(rf"{NODE} (-->|-\.->)(?:\|(.+)\|)? {NODE}"),
    "node": re.compile(NODE),
}
SHAPES = {
    "[": {"shape": "box"},
    "[[": {"shape": "box", "peripheries": "2"},
    "([": {"shape": "box", "style": "rounded"},
    "[(": {"shape": "cylinder"},
}
FONT = {"fontname": "sans-serif", "fontsize": "11"}


class Flowchart(Directive):
    """A fence of the language ``mermaid``."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the drawing."""
        try:
            return [nodes.raw("", f'<div class="flowchart">{svg(list(self.content))}</div>', format="html")]
        except ValueError as error:
            raise self.error(str(error)) from error


def svg(lines: list[str]) -> str:
    """Draw a flowchart.

    Raises:
        ValueError: if a line isn't understood.
    """
    graph = pygraphviz.AGraph(directed=True, strict=False, bgcolor="transparent", nodesep="0.15", ranksep="0.35")
    graph.node_attr.update(FONT | {"shape": "box", "margin": "0.1,0.04", "height": "0.3"})
    graph.edge_attr.update(FONT | {"arrowsize": "0.6"})
    graph.graph_attr.update(FONT)
    frames = [graph]
    for line in lines:
        kind, match = _parsed(line.strip())
        if kind == "begin":
            graph.graph_attr["rankdir"] = match[1].replace("TD", "TB")
        elif kind == "frame":
            frames.append(frames[-1].add_subgraph(name=f"cluster_{match[1]}", label=match[2]))
        elif kind == "end" and len(frames) > 1:
            frames.pop()
        elif kind == "edge":
            _add(graph, frames[-1], *match.group(1, 2, 3))
            _add(graph, frames[-1], *match.group(6, 7, 8))
            style = "dashed" if match[4] == "-.->" else "solid"
            graph.add_edge(match[1], match[6], style=style, label=match[5] or "")
        elif kind == "node":
            _add(graph, frames[-1], *match.group(1, 2, 3))
        else:
            raise ValueError("`end` without `subgraph`")
    drawing = graph.draw(prog="dot", format="svg").decode()
    return drawing[drawing.index("<svg") :]


def _parsed(line: str) -> tuple[str, re.Match[str]]:
    for kind, pattern in LINE.items():
        if match := pattern.fullmatch(line):
            return kind, match
    raise ValueError(f"not a line of a flowchart that docs/site/flowcharts.py draws: {line}")


def _add(root: Any, graph: Any, name: str, shape: str | None, label: str | None) -> None:
    """Add a node; without a shape, only if its name is new."""
    if shape:
        graph.add_node(name, label=label, **SHAPES[shape])
    elif not root.has_node(name):
        graph.add_node(name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("mermaid", Flowchart)
    return {"parallel_read_safe": True}
