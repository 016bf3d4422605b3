"""The graph of the dbt project, kept beside it: a DAG file is parsed every few seconds, and must not start dbt.

``make manifest`` writes it after a change of models, tests or snapshots; a stale one fails the tests.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from include.domains.analytics.errors import DbtError
from include.domains.analytics.settings import DBT

PROJECT = Path(__file__).parents[2] / "dbt"
MANIFEST = PROJECT / "manifest.json"
BUILT = {"model", "seed", "snapshot"}
# What is read of a node here; the rest is dbt's own and changes with every parse.
KEPT = ("name", "original_file_path", "resource_type")


@dataclass(frozen=True)
class Node:
    """A model, seed or snapshot: what dbt builds.

    Attributes:
        unique_id: dbt's own, as those in the other attributes are.
        name: what dbt selects it by.
        needs: the nodes that it reads.
        run: itself, after the unit tests that dbt runs before it.
        tests: the tests that read it and nothing that is built later, by name.
        tested_with: the other nodes that these tests read.
    """

    unique_id: str
    name: str
    needs: tuple[str, ...]
    run: tuple[str, ...]
    tests: dict[str, str]
    tested_with: tuple[str, ...]


def make() -> str:
    """Return the manifest's text as it must be now.

    Raises:
        DbtError: with dbt's own words, if the project can't be parsed.
    """
    with tempfile.TemporaryDirectory() as folder:
        places = {"project-dir": PROJECT, "profiles-dir": PROJECT, "target-path": folder, "log-path": folder}
        options = [f"--{name}={place}" for name, place in places.items()]
        command = [DBT.read(), "--quiet", "parse", "--no-partial-parse", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DbtError(f"dbt can't parse {PROJECT}: {done.stdout}{done.stderr}")
        whole = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))
    trimmed = {
        part: {unique_id: _trim(node) for unique_id, node in sorted(whole[part].items())}
        for part in ("nodes", "unit_tests")
    }
    return json.dumps(trimmed, indent=1) + "\n"


def mart_names() -> list[str]:
    """Return the names of the models in ``models/marts``, sorted."""
    nodes = _read()["nodes"].values()
    return sorted(
        node["name"]
        for node in nodes
        if node["resource_type"] == "model" and node["original_file_path"].startswith("models/marts/")
    )


def built_nodes() -> list[Node]:
    """Return what dbt builds, each node after those that it needs."""
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
    units = manifest["unit_tests"].items()
    return [
        Node(
            unique_id,
            name=manifest["nodes"][unique_id]["name"],
            needs=tuple(sorted(reads[unique_id])),
            run=(*(unit for unit, node in units if unique_id in node["parents"]), unique_id),
            tests={manifest["nodes"][test]["name"]: test for test in tests[unique_id]},
            tested_with=tuple(sorted(set().union(*(reads[test] for test in tests[unique_id])) - {unique_id})),
        )
        for unique_id in order
    ]


def _needs(unique_id: str, parents: dict[str, list[str]], built: set[str]) -> set[str]:
    """Return the built nodes that a node reads, itself or through those that aren't built (ephemeral ones)."""
    found: set[str] = set()
    for parent in parents.get(unique_id, ()):
        found |= {parent} if parent in built else _needs(parent, parents, built)
    return found


def _read() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return manifest


def _trim(node: dict[str, Any]) -> dict[str, Any]:
    """Return what is read of a node; its parents don't have sources among them."""
    parents = [name for name in node["depends_on"].get("nodes", ()) if not name.startswith("source.")]
    kept = {name: node[name] for name in KEPT}
    return kept | {"materialized": node["config"].get("materialized"), "parents": sorted(parents)}
