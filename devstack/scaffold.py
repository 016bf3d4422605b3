"""Files that are written from templates: a new model's, a new DAG's."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from devstack.errors import UsageError

FOLDERS = ("dags", "deploy", "devstack", "include", "plugins", "tests")
WORD = re.compile(r"\w+")
NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")


def require_name(name: str) -> None:
    """Check the name of a new domain.

    Raises:
        UsageError: if it can't be a folder's, a DAG's and a Python module's.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"NAME={name!r}: use 2 to 40 of a to z, 0 to 9 and _, the first a letter, and no Python keyword"
        )


def render(package: str, template: str, values: Mapping[str, object]) -> str:
    """Return a template of a package, with values."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(),  # of HTML, which none of the templates is
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters["python"] = repr
    return environment.get_template(f"{template}.jinja").render(values)


def require_new(name: str, files: Mapping[Path, bytes], root: Path) -> None:
    """Check that no file exists, nor the domain's folders, and that no code uses the name for something else.

    A table, a module or a test of that name would be in the way, and `make remove-domain` couldn't tell them apart.

    Raises:
        UsageError: naming the first file that does.
    """
    for path in files:
        if path.exists() or (path.parent.name == name and path.parent.exists()):
            raise UsageError(f"{path.relative_to(root)}: it or its folder exists already; choose another NAME")
    if name.startswith("pg_"):
        raise UsageError(f"NAME={name}: PostgreSQL has its own tables with pg_; choose another NAME")
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            if path not in files and name in WORD.findall(path.read_text(encoding="utf-8", errors="replace")):
                raise UsageError(f"NAME={name}: a word of {path.relative_to(root)}; choose another NAME")


def write(files: Mapping[Path, bytes]) -> list[Path]:
    """Write files and their folders; return their paths."""
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return list(files)
