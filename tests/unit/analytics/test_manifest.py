"""The manifest that the DAG is made of is the one of the dbt project as it is now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.analytics import manifest
from include.analytics.errors import DbtError


def test_the_manifest_is_fresh() -> None:
    assert manifest.MANIFEST.read_text() == manifest.make(), "include/dbt has changed: run `make manifest`"


def test_a_project_that_does_not_parse_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = shutil.copytree(manifest.PROJECT, tmp_path / "dbt")
    (project / "models" / "marts" / "daily_sales.sql").write_text("SELECT 1 FROM {{ ref('nowhere') }}")
    monkeypatch.setattr(manifest, "PROJECT", project)
    with pytest.raises(DbtError, match="nowhere"):
        manifest.make()


def test_the_marts() -> None:
    assert manifest.mart_names() == ["campaign_results", "daily_sales", "support_resolution", "weather_months"]
