"""Alertmanager accepts its configuration, and routes and silences alerts correctly."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.unit.monitoring.promtool import MONITORING, RULES, program

FILE = MONITORING / "alertmanager" / "alertmanager.yml"
CONFIGURATION = yaml.safe_load(FILE.read_text())


def amtool(*arguments: str) -> str:
    """Run amtool, and return its output."""
    return subprocess.run(
        [program("amtool", "prometheus-alertmanager"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_amtool_accepts_the_configuration() -> None:
    assert "SUCCESS" in amtool("check-config", str(FILE))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=Watchdog", "severity=page"], "watchdog"),
        (["alertname=SchedulerDown", "severity=page"], "slack-page"),
        (["alertname=DagRunFailed", "severity=ticket"], "slack"),
    ],
)
def test_an_alert_goes_to_its_receiver(labels: list[str], receiver: str) -> None:
    assert amtool("config", "routes", "test", f"--config.file={FILE}", *labels).strip() == receiver


def silenced_by(alert: str) -> set[str]:
    alerts = set()
    for rule in CONFIGURATION["inhibit_rules"]:
        [source] = [text for text in rule["source_matchers"] if text.startswith("alertname")]
        pattern = re.search(r'"(.*)"', source)
        if pattern and re.fullmatch(pattern[1], alert):
            for target in rule["target_matchers"]:
                alerts |= set(re.findall(r"\w+", target.partition('"')[2]))
    return alerts


def test_a_dead_metrics_path_silences_alerts_on_airflow_metrics() -> None:
    groups = [
        group for file in RULES if file.name == "airflow.yaml" for group in yaml.safe_load(file.read_text())["groups"]
    ]
    from_airflow = {rule["alert"] for group in groups for rule in group["rules"]} - {"WorkerDown"}
    assert silenced_by("MetricsPathDead") == from_airflow


def test_only_alerts_that_exist_are_silenced() -> None:
    alerts = {
        rule["alert"]
        for file in RULES
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    }
    for rule in CONFIGURATION["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            if matcher.startswith("alertname"):
                assert set(re.findall(r"\w+", matcher.partition('"')[2])) <= alerts


def test_slack_is_reached_through_a_file() -> None:
    assert "api_url:" not in FILE.read_text()
    slack = [receiver["slack_configs"][0] for receiver in CONFIGURATION["receivers"] if "slack_configs" in receiver]
    assert {receiver["api_url_file"] for receiver in slack} == {"/run/secrets/slack-webhook/value"}
