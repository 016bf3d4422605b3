"""Reads and generates the stored graph of the dbt project, so that parsing a DAG file doesn't start dbt.

Run ``make manifest`` after changing models, tests or snapshots; the tests fail if the manifest is out of date.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.domains.analytics.results import DbtError
from include.domains.analytics.settings import DBT

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2] / "dbt"
MANIFEST = PROJECT / "manifest.json"
MARTS = "models/marts"
BUILT = {"model", "seed", "snapshot"}
# The fields that are read here; dbt's other fields change with every parse.
FIELDS = ("name", "original_file_path", "resource_type")


@dataclass(frozen=True)
class Node:
    """A node that dbt builds: a model, seed or snapshot.

    Attributes:
        unique_id: dbt's id; the other attributes contain such ids too.
        name: name for dbt's node selection.
        needs: the built nodes that it reads.
        run: its unit tests, followed by the node itself.
        tests: ids of the tests that can run as soon as it is built, by name.
        tested_with: the other built nodes that these tests read.
    """

    unique_id: str
    name: str
    needs: tuple[str, ...]
    run: tuple[str, ...]
    tests: dict[str, str]
    tested_with: tuple[str, ...]


def generate() -> str:
    """Return the current manifest of the project as JSON.

    Raises:
        DbtError: with dbt's message, if the project can't be parsed.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = {"project-dir": PROJECT, "profiles-dir": PROJECT, "target-path": folder, "log-path": folder}
        options = [f"--{name}={path}" for name, path in paths.items()]
        command = [DBT.read(), "--quiet", "parse", "--no-partial-parse", *options]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode:
            raise DbtError(f"dbt can't parse {PROJECT}: {process.stdout}{process.stderr}")
        manifest = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))
    trimmed = {
        section: {
            unique_id: trimmed
            for unique_id, node in sorted(manifest[section].items())
            if (trimmed := _trim(node))["parents"] or node["resource_type"] != "test"
        }
        for section in ("nodes", "unit_tests")
    }
    return json.dumps(trimmed, indent=1) + "\n"


def mart_names() -> list[str]:
    """Return the names of the models in :data:`MARTS`, sorted."""
    return sorted(node["name"] for node in _marts())


def incremental_marts() -> list[str]:
    """Return the names of the marts that a build changes instead of replacing them."""
    return sorted(node["name"] for node in _marts() if node["materialized"] == "incremental")


def built_nodes() -> list[Node]:
    """Return the nodes that dbt builds, in topological order."""
    manifest = _read()
    parents = {unique_id: node["parents"] for unique_id, node in manifest["nodes"].items()}
    built = {
        unique_id
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in BUILT and node["materialized"] != "ephemeral"
    }
    order = [unique_id for unique_id in TopologicalSorter(parents).static_order() if unique_id in built]
    reads = {unique_id: _needs(unique_id, parents, built) for unique_id in parents}
    tests: dict[str, list[str]] = {unique_id: [] for unique_id in order}
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] == "test" and reads[unique_id]:
            tests[max(reads[unique_id], key=order.index)].append(unique_id)
    unit_tests = manifest["unit_tests"].items()
    return [
        Node(
            unique_id,
            name=manifest["nodes"][unique_id]["name"],
            needs=tuple(sorted(reads[unique_id])),
            run=(*(test for test, node in unit_tests if unique_id in node["parents"]), unique_id),
            tests={manifest["nodes"][test]["name"]: test for test in tests[unique_id]},
            tested_with=tuple(sorted(set().union(*(reads[test] for test in tests[unique_id])) - {unique_id})),
        )
        for unique_id in order
    ]


def _needs(unique_id: str, parents: dict[str, list[str]], built: set[str]) -> set[str]:
    """Return the built nodes that a node reads, directly or through ephemeral nodes."""
    needs: set[str] = set()
    for parent in parents.get(unique_id, ()):
        needs |= {parent} if parent in built else _needs(parent, parents, built)
    return needs


def _marts() -> Iterator[dict[str, Any]]:
    for node in _read()["nodes"].values():
        if node["resource_type"] == "model" and node["original_file_path"].startswith(f"{MARTS}/"):
            yield node


def _read() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return manifest


def _trim(node: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a node that are stored; sources are omitted from its parents."""
    parents = [name for name in node["depends_on"].get("nodes", ()) if not name.startswith("source.")]
    fields = {name: node[name] for name in FIELDS}
    return fields | {"materialized": node["config"].get("materialized"), "parents": sorted(parents)}
