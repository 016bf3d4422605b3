"""Every alert rule is complete, and its tests fail if it is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.monitoring.promtool import MONITORING, REPOSITORY, RULES, TESTS, promtool
from tests.unit.monitoring.registry import known, metrics_in

RUNBOOK = REPOSITORY / "docs" / "runbooks" / "alerts.md"
HANDBOOK = REPOSITORY / "docs" / "monitoring.md"


@dataclass(frozen=True)
class Alert:
    """One rule and its file."""

    file: Path
    rule: dict[str, Any]

    def __str__(self) -> str:
        return str(self.rule["alert"])


def declared() -> Iterator[Alert]:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                yield Alert(file, rule)


ALERTS = list(declared())
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=str)


def test_rules_are_found() -> None:
    names = [str(alert) for alert in ALERTS]
    assert len(names) == len(set(names)) >= 20


def test_promtool_accepts_the_rules_and_the_configuration() -> None:
    for outcome in (
        promtool("check", "rules", *RULES),
        promtool("check", "config", MONITORING / "prometheus" / "prometheus.yml"),
    ):
        assert outcome.returncode == 0, outcome.stdout


def test_the_rules_pass_their_tests() -> None:
    outcome = promtool("test", "rules", *TESTS)
    assert outcome.returncode == 0, outcome.stdout


@every_alert
def test_it_has_a_severity_a_measurement_and_a_runbook(alert: Alert) -> None:
    assert alert.rule["labels"]["severity"] in {"page", "ticket"}
    annotations = alert.rule["annotations"]
    assert annotations["summary"]
    assert re.search(r"\$value|\d", annotations["description"]), "the description holds no number"
    path, _, anchor = annotations["runbook_url"].partition("#")
    assert REPOSITORY / path == RUNBOOK
    assert anchor == str(alert).lower()
    section = re.search(rf"^## {alert}\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert section, f"{path} has no section {alert}"
    for heading in ("**Means**", "**Look at**", "**Do**"):
        assert heading in section.group(1)


@every_alert
def test_the_handbook_lists_it(alert: Alert) -> None:
    assert f"[{alert}](runbooks/alerts.md#{str(alert).lower()}) | {alert.rule['labels']['severity']} |" in (
        HANDBOOK.read_text()
    )


@every_alert
def test_it_reads_metrics_that_exist(alert: Alert) -> None:
    assert metrics_in(alert.rule["expr"]) <= known()


@every_alert
def test_it_has_a_test_that_fires_and_one_that_does_not(alert: Alert) -> None:
    outcomes = {
        bool(expectation["exp_alerts"])
        for test in yaml.safe_load((MONITORING / "prometheus" / "tests" / alert.file.name).read_text())["tests"]
        for expectation in test["alert_rule_test"]
        if expectation["alertname"] == str(alert)
    }
    assert outcomes == ({True} if str(alert) == "Watchdog" else {True, False})


def passes(folder: Path, alert: Alert, expression: str) -> bool:
    """Return whether the alert's tests pass if its rule has this expression."""
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "mutant", "rules": [alert.rule | {"expr": expression}]}]}))
    content = yaml.safe_load((MONITORING / "prometheus" / "tests" / alert.file.name).read_text())
    content["rule_files"] = [str(rules)]
    content["tests"] = [test for test in content["tests"] if test["alert_rule_test"][0]["alertname"] == str(alert)]
    tests = folder / "tests.yaml"
    tests.write_text(yaml.safe_dump(content))
    outcome = promtool("test", "rules", tests)
    assert "SUCCESS" in outcome.stdout or "got:" in outcome.stdout, outcome.stdout
    return outcome.returncode == 0


@every_alert
def test_a_rule_that_never_fires_is_detected(alert: Alert, tmp_path: Path) -> None:
    assert passes(tmp_path, alert, alert.rule["expr"])
    assert not passes(tmp_path, alert, "vector(1) > 2")


@pytest.mark.parametrize("alert", [alert for alert in ALERTS if str(alert) != "Watchdog"], ids=str)
def test_a_rule_that_always_fires_is_detected(alert: Alert, tmp_path: Path) -> None:
    assert not passes(tmp_path, alert, f"({alert.rule['expr']}) or vector(0)")


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("DagRunFailed", r" or \(airflow_.* offset 10m\)"),
        ("DagRunFailed", r" unless airflow_dagrun_duration_failed_count offset 10m"),
        ("DagRunFailed", r"increase\(.*?\) > 0 or "),
        ("TaskLost", r" or \( airflow_.* offset 10m \)"),
        ("CallbackBroken", r" or \(airflow_.* offset 10m\)"),
        ("DeadlineMissed", r" or \( airflow_.* offset 10m \)"),
        ("SchedulerDown", r" or vector\(0\)"),
        ("TasksStuckInQueue", r" and on .*"),
        ("TasksStuckInQueue", r" or \(spellbook_queue_slots.*running\)"),
        ("PoolStarving", r" and on .*"),
        ("DataNeverLoaded", r" and on .*"),
        ("DataNeverLoaded", r" offset 2d"),
        ("MetricsPathDead", r" or on .*"),
        ("RedisMemoryHigh", r" > 0(?=\))"),
        ("DatabaseConnectionsHigh", r"(?<=sum) by \(job\)"),
        ("DiskAlmostFull", r'\{mountpoint=~"/volumes/.\+"\}'),
    ],
)
def test_a_rule_without_one_of_its_conditions_is_detected(name: str, left_out: str, tmp_path: Path) -> None:
    [alert] = [alert for alert in ALERTS if str(alert) == name]
    expression = " ".join(alert.rule["expr"].split())
    mutant = re.sub(left_out, "", expression)
    assert mutant != expression, f"{left_out!r} is no part of {expression!r}"
    assert not passes(tmp_path, alert, mutant)
