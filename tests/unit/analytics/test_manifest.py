"""The manifest that the DAG is built from is up to date with the dbt project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from include.domains.analytics import manifest
from include.domains.analytics.results import DbtError


def test_the_manifest_is_fresh() -> None:
    assert manifest.MANIFEST.read_text() == manifest.generate(), "include/dbt has changed: run `make manifest`"


def test_a_project_that_does_not_parse_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = shutil.copytree(
        manifest.PROJECT, tmp_path / "dbt", ignore=shutil.ignore_patterns("models", "snapshots", "tests")
    )
    (project / "models").mkdir()
    (project / "models" / "mart.sql").write_text("SELECT 1 FROM {{ ref('nowhere') }}")
    monkeypatch.setattr(manifest, "PROJECT", project)
    with pytest.raises(DbtError, match="nowhere"):
        manifest.generate()


def test_the_marts() -> None:
    assert manifest.mart_names() == ["campaign_results", "daily_sales", "support_resolution", "weather_months"]


def test_each_node_follows_its_parents_and_precedes_its_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def node(kind: str, *parents: str, materialized: str = "table") -> dict[str, object]:
        return {"name": parents[0], "resource_type": kind, "materialized": materialized, "parents": parents[1:]}

    nodes = {
        "model.a": node("model", "a", "model.b"),
        "model.b": node("model", "b", "model.inline"),
        "model.inline": node("model", "inline", "snapshot.c", materialized="ephemeral"),
        "snapshot.c": node("snapshot", "c"),
        "test.of_a_and_c": node("test", "of_a_and_c", "model.a", "snapshot.c"),
        "test.of_a_source": node("test", "of_a_source"),
    }
    units = {"unit_test.b.sums": node("unit_test", "sums", "model.b")}
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": nodes, "unit_tests": units}))
    monkeypatch.setattr(manifest, "MANIFEST", tmp_path / "manifest.json")
    assert manifest.built_nodes() == [
        manifest.Node("snapshot.c", "c", (), ("snapshot.c",), {}, ()),
        manifest.Node("model.b", "b", ("snapshot.c",), ("unit_test.b.sums", "model.b"), {}, ()),
        manifest.Node("model.a", "a", ("model.b",), ("model.a",), {"of_a_and_c": "test.of_a_and_c"}, ("snapshot.c",)),
    ]
