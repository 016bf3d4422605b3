"""Every alert rule is complete, and its tests fail if it is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
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


@cache
def cases_of(rules: Path) -> Any:
    """Content of the file with the tests of a file of rules."""
    return yaml.safe_load((MONITORING / "prometheus" / "tests" / rules.name).read_text())


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
    """With its severity, and the time for which its condition must hold."""
    held = alert.rule.get("for", "").replace("m", " min").replace("h", " h")
    link = re.escape(f"[{alert}](runbooks/alerts.md#{str(alert).lower()})")
    row = rf"^\| {link} \| {alert.rule['labels']['severity']} \| [^|]+ \| {held} \|$"
    assert re.search(row, HANDBOOK.read_text(), re.MULTILINE)


@every_alert
def test_it_reads_metrics_that_exist(alert: Alert) -> None:
    assert metrics_in(alert.rule["expr"]) <= known()


@every_alert
def test_it_has_a_test_that_fires_and_one_that_does_not(alert: Alert) -> None:
    outcomes = {
        bool(expectation["exp_alerts"])
        for test in cases_of(alert.file)["tests"]
        for expectation in test["alert_rule_test"]
        if expectation["alertname"] == str(alert)
    }
    assert outcomes == ({True} if str(alert) == "Watchdog" else {True, False})


LEFT_OUT = (
    ("DagRunFailed", r" or \(airflow_.* offset 10m\)"),
    ("DagRunFailed", r" unless airflow_dagrun_duration_failed_count offset 10m"),
    ("DagRunFailed", r"increase\(.*?\) > 0 or "),
    ("TaskLost", r" or \( airflow_.* offset 10m \)"),
    ("CallbackBroken", r" or \(airflow_.* offset 10m\)"),
    ("DeadlineMissed", r" or \( airflow_.* offset 10m \)"),
    ("SchedulerDown", r" or vector\(0\)"),
    ("TasksStuckInQueue", r" unless on \(queue\) \( \(.*? \) \)"),
    ("TasksStuckInQueue", r" and on \(dag_id, task_id\) \(.*? \)(?= \))"),
    ("TasksStuckInQueue", r" or \(airflow_ti_start.*? offset 3m\)"),
    ("TasksStuckInQueue", r"increase\(airflow_ti_start\[3m\]\) > 0 or "),
    ("TasksStuckInQueue", r" and on \(queue\) .*"),
    ("TasksStuckInQueue", r" or \(spellbook_queue_slots.*running\)"),
    ("PoolStarving", r" and on .*"),
    ("DataNeverLoaded", r" and on .*"),
    ("DataNeverLoaded", r" offset 2d"),
    ("MetricsPathDead", r" or on .*"),
    ("ModelChampionRefused", r" > 0"),
    ("PredictionsNotStored", r" > 0"),
    ("RedisMemoryHigh", r" > 0(?=\))"),
    ("DatabaseConnectionsHigh", r"(?<=sum) by \(job\)"),
    ("DiskAlmostFull", r'\{mountpoint=~"/volumes/.\+"\}'),
)
"""Conditions of a rule: the name of the alert, and a pattern of what is left out."""


def changed() -> Iterator[tuple[str, Alert, str]]:
    """Yield the id of each changed rule, its alert and its expression, and each rule as it is."""
    alerts = {str(alert): alert for alert in ALERTS}
    for name, alert in alerts.items():
        expression = str(alert.rule["expr"])
        yield f"{name} unchanged", alert, expression
        yield f"{name} never", alert, "vector(1) > 2"
        if name != "Watchdog":
            yield f"{name} always", alert, f"({expression}) or vector(0)"
    for name, pattern in LEFT_OUT:
        expression = " ".join(alerts[name].rule["expr"].split())
        yield f"{name} without {pattern}", alerts[name], re.sub(pattern, "", expression)


CHANGED = list(changed())


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What promtool writes about the tests of each changed rule, by its id."""
    folder = tmp_path_factory.mktemp("rules")
    for number, (_, alert, expression) in enumerate(CHANGED):
        rules = {"groups": [{"name": "changed", "rules": [alert.rule | {"expr": expression}]}]}
        (folder / f"rules{number}.yaml").write_text(json.dumps(rules))
        content = cases_of(alert.file)
        its = [test for test in content["tests"] if test["alert_rule_test"][0]["alertname"] == str(alert)]
        only = content | {"rule_files": [f"rules{number}.yaml"], "tests": its}
        (folder / f"{number}.yaml").write_text(json.dumps(only))
    outcome = promtool("test", "rules", *(folder / f"{number}.yaml" for number in range(len(CHANGED))))
    _, *written = outcome.stdout.split("Unit Testing:")
    return dict(zip((key for key, *_ in CHANGED), written, strict=True))


@pytest.mark.parametrize("changed_rule", [key for key, *_ in CHANGED])
def test_only_the_unchanged_rule_passes_its_tests(verdicts: dict[str, str], changed_rule: str) -> None:
    assert ("SUCCESS" if changed_rule.endswith(" unchanged") else "got:") in verdicts[changed_rule]
