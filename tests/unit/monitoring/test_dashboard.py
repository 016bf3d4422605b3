"""Every query of the dashboard can be parsed, and uses metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.unit.monitoring.promtool import MONITORING, promtool
from tests.unit.monitoring.registry import airflow_metrics, known, metrics_in

DASHBOARD = json.loads((MONITORING / "grafana" / "dashboards" / "airflow.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_panels_are_numbered_once_and_do_not_overlap() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken = [
        (x, y)
        for position in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(position["x"], position["x"] + position["w"])
        for y in range(position["y"], position["y"] + position["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


def test_every_panel_uses_the_provisioned_datasource() -> None:
    provisioned = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    [datasource] = provisioned["datasources"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {datasource["uid"]}


@pytest.mark.parametrize("expression", QUERIES)
def test_a_query_uses_metrics_that_exist(expression: str) -> None:
    metrics = metrics_in(expression)
    assert metrics
    assert metrics <= known()


def test_every_query_can_be_parsed(tmp_path: Path) -> None:
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(QUERIES)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    outcome = promtool("check", "rules", file)
    assert outcome.returncode == 0, outcome.stdout


def test_the_registry_detects_a_wrong_name() -> None:
    assert {"airflow_ti_finish", "airflow_dagrun_duration_failed_count"} <= airflow_metrics()
    assert "airflow_dagrun_duration_failed" not in airflow_metrics()
    assert metrics_in('sum by (le) (rate(airflow_tii_finish{state="x", le=~"a.*"}[5m])) > 0 or up offset 10m') == {
        "airflow_tii_finish",
        "up",
    }
    assert not {"airflow_tii_finish"} <= known()


def test_every_legend_names_a_label_that_its_query_keeps() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            label_lists = re.findall(r"by \(([^)]*)\)", target["expr"])
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert not label_lists or any(label in re.split(r",\s*", group) for group in label_lists), target
