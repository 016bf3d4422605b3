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


def require_new(name: str, declared: str, files: Mapping[Path, bytes], root: Path) -> None:
    """Check that no file exists, nor the domain's folders, and that no code uses what the domain declares.

    A module of the domain's name would be in the way, and `make remove-domain` couldn't tell the DAG or table
    ``declared`` from others of that name.

    Raises:
        UsageError: naming the first file that does, with its line.
    """
    for path in files:
        if path.exists() or (path.parent.name == name and path.parent.exists()):
            raise UsageError(f"{path.relative_to(root)}: it or its folder exists already; choose another NAME")
    if name.startswith("pg_"):
        raise UsageError(f"NAME={name}: PostgreSQL has its own tables with pg_; choose another NAME")
    modules = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py") if path not in files)
    if same := next((path for path in modules if path.stem == name), None):
        raise UsageError(f"NAME={name}: there is a module {same.relative_to(root)}; choose another NAME")
    for path in modules:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if declared in WORD.findall(line):
                raise UsageError(
                    f"NAME={name}: {path.relative_to(root)}:{number} has the word {declared}, so that"
                    " `make remove-domain` couldn't tell the two apart; choose another NAME, such as"
                    f" my_{name}"
                )


def write(files: Mapping[Path, bytes]) -> list[Path]:
    """Write files and their folders; return their paths."""
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return list(files)
