"""The pages as a site: Sphinx renders them as they are on GitHub. Nothing is loaded from elsewhere when it is read."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

project = html_title = "Spellbook"
root_doc = "README"
extensions = ["myst_parser", "flowcharts", "navigation"]
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/decisions/*.md",
    "docs/runbooks/*.md",
    "include/data/README.md",
]
myst_heading_anchors = 6
myst_fence_as_directive = ["mermaid"]
html_theme = "furo"
html_static_path = ["flowcharts.css"]
html_css_files = ["flowcharts.css"]
html_extra_path = ["index.html"]
html_copy_source = False
html_show_copyright = False
