"""The graph of the dbt project, kept beside it: a DAG file is parsed every few seconds, and must not start dbt.

``make manifest`` writes it after a change of models, tests or snapshots; a stale one fails the tests.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from include.analytics.errors import DbtError
from include.settings import DBT

PROJECT = Path(__file__).parents[1] / "dbt"
MANIFEST = PROJECT / "manifest.json"
PROFILE = "warehouse"
# What Cosmos reads of a node; the rest is dbt's own and changes with every parse.
KEPT = ("fqn", "freshness", "name", "original_file_path", "package_name", "resource_type", "schema", "tags")
KEPT_CONFIG = ("materialized", "meta", "tags")


def make() -> str:
    """Return the manifest's text as it must be now.

    Raises:
        DbtError: with dbt's own words, if the project can't be parsed.
    """
    with tempfile.TemporaryDirectory() as folder:
        places = {"project-dir": PROJECT, "profiles-dir": PROJECT, "target-path": folder, "log-path": folder}
        flags = [f"--{name}={place}" for name, place in places.items()]
        command = [DBT.read(), "--quiet", "parse", "--no-partial-parse", *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DbtError(f"dbt can't parse {PROJECT}: {done.stdout}{done.stderr}")
        whole = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))
    trimmed = {
        "metadata": {"project_name": whole["metadata"]["project_name"]},
        **{part: {key: _trim(node) for key, node in sorted(whole[part].items())} for part in ("nodes", "sources")},
    }
    return json.dumps(trimmed, indent=1) + "\n"


def mart_names() -> list[str]:
    """Return the names of the models in ``models/marts``, sorted."""
    nodes = json.loads(MANIFEST.read_text(encoding="utf-8"))["nodes"].values()
    return sorted(
        node["name"]
        for node in nodes
        if node["resource_type"] == "model" and node["original_file_path"].startswith("models/marts/")
    )


def _trim(node: dict[str, Any]) -> dict[str, Any]:
    config = {name: node["config"][name] for name in KEPT_CONFIG if name in node["config"]}
    parents = {"nodes": node.get("depends_on", {}).get("nodes", [])}
    return {name: node[name] for name in KEPT if name in node} | {"config": config, "depends_on": parents}
