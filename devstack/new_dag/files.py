"""The files of a new DAG, by kind."""

from __future__ import annotations

from pathlib import Path

from devstack import scaffold
from devstack.state import REPOSITORY

TEMPLATES = Path(__file__).parent / "templates"
KINDS = sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())
PLACES = {
    "dag.py": "dags/{name}.py",
    "test.py": "tests/unit/{name}/test_{name}.py",
    "runbook.md": "docs/runbooks/{name}.md",
    "dbt_project.yml": "include/domains/{name}/dbt/dbt_project.yml",
    "model.sql": "include/domains/{name}/dbt/models/{name}.sql",
    "schema.yml": "include/domains/{name}/dbt/models/schema.yml",
}
"""Where templates become files; the others become modules of the domain."""


def write(name: str, kind: str, root: Path = REPOSITORY) -> list[Path]:
    """Write a DAG's files; return their paths.

    Raises:
        StackError: if the name is invalid, or a file exists; nothing is written.
    """
    scaffold.require_name(name)
    templates = ["__init__.py", *(f"{kind}/{path.stem}" for path in sorted((TEMPLATES / kind).iterdir()))]
    files = {
        root / place(template, name): scaffold.render("devstack.new_dag", template, {"name": name}).encode()
        for template in templates
    }
    files[root / f"tests/unit/{name}/__init__.py"] = b""
    scaffold.require_new(name, name, files, root)
    return scaffold.write(files)


def place(template: str, name: str) -> str:
    """Return the path that a template becomes, relative to the repository."""
    file = template.rpartition("/")[2]
    return PLACES.get(file, f"include/domains/{{name}}/{file}").format(name=name)
