"""What the text of a DAG file says, read without running it."""

from __future__ import annotations

import ast

from include.connection_use import parsed


def says_schedule(path: str) -> bool:
    """Whether some call in the file passes ``schedule=``, be it None."""
    return any(isinstance(node, ast.keyword) and node.arg == "schedule" for node in ast.walk(parsed(path)))
