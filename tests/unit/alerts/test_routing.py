"""Where alerts are sent, and which are silenced."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from include.ops.alerts.alert import UNWATCHED, Alert, Kind
from include.ops.alerts.routing import FOLDER, Medium, Routing, RoutingError, Severity, Silence, Silences
from include.settings import CONNECTIONS

NOW = datetime(2024, 6, 2, 6, tzinfo=UTC)


def test_this_repositorys_files_load_and_use_declared_connections() -> None:
    routing, _ = Routing.load(), Silences.load()
    declared = {connection.conn_id for connection in CONNECTIONS}
    for kind in Kind:
        routes = routing.routes(Alert(kind, dag_id="spell"))
        assert routes
        assert {route.conn_id for route in routes} <= declared


def test_alerts_that_need_action_are_also_mailed() -> None:
    routing = Routing.load()
    for kind in Kind:
        media = {route.medium for route in routing.routes(Alert(kind, dag_id="spell"))}
        needs_action = routing.kinds[kind] is Severity.ACT
        assert media == ({Medium.SLACK, Medium.MAIL} if needs_action else {Medium.SLACK})


def test_mail_goes_to_the_owner() -> None:
    routing = Routing.load()
    recipients = {
        owner: routing.routes(Alert(Kind.FAILED, "spell", owner=owner))[1].recipient for owner in ("data-platform", "x")
    }
    assert recipients == {"data-platform": "data-platform@example.org", "x": "data-alerts@example.org"}


def test_each_address_has_a_route_of_its_own() -> None:
    addresses = ["one@example.org", "two@example.org", "one@example.org"]
    routing = Routing.load().model_copy(update={"mail": {"default": addresses}})
    routes = [str(route) for route in routing.routes(Alert(Kind.FAILED, "spell"))]
    assert routes == ["slack #data-alerts", "mail one@example.org", "mail two@example.org"]


def test_dags_that_deliver_alerts_have_no_alerts() -> None:
    for dag_id in UNWATCHED:
        assert Routing.load().routes(Alert(Kind.FAILED, dag_id)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kinds": {"failed": "act"}}, "missing: gap, import_error, late"),
        ({"kinds": {"failed": "shout"}}, "kinds.failed"),
        ({"mail": {}}, "mail.default"),
        ({"mail": {"default": ["one@example.org, two@example.org"]}}, "mail.default.0"),
        ({"colour": "red"}, "colour"),
        ({"severities": {"act": {"slack": {"connection": "slack_default", "channel": "alerts"}}}}, "slack.channel"),
    ],
)
def test_an_invalid_routing_file_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    content = yaml.safe_load((FOLDER / "routing.yaml").read_text())
    path = tmp_path / "routing.yaml"
    path.write_text(yaml.safe_dump(content | change))
    with pytest.raises(RoutingError, match=r"routing\.yaml") as caught:
        Routing.load(path)
    assert words in str(caught.value)


@pytest.mark.parametrize("missing", ["reason", "expires", "dag_id"])
def test_a_silence_needs_a_reason_and_an_end(tmp_path: Path, missing: str) -> None:
    entry = {"dag_id": "spell", "reason": "it is repaired", "expires": date(2024, 6, 3)}
    del entry[missing]
    path = tmp_path / "silences.yaml"
    path.write_text(yaml.safe_dump({"silences": [entry]}))
    with pytest.raises(RoutingError, match=missing):
        Silences.load(path)


def test_silences_by_pattern_kind_and_day() -> None:
    silences = Silences(silences=[Silence(dag_id="sp*", kinds=[Kind.LATE], reason="slow", expires=date(2024, 6, 3))])
    late = Alert(Kind.LATE, "spell")
    assert silences.reason(late, NOW) == "slow (until 2024-06-03)"
    assert silences.reason(Alert(Kind.LATE, "weather"), NOW) == ""
    assert silences.reason(Alert(Kind.FAILED, "spell"), NOW) == ""
    assert silences.expired(late, NOW) == ""
    expiry = NOW.replace(day=3)
    assert silences.reason(late, expiry) == ""
    assert "2024-06-03 (slow) has expired" in silences.expired(late, expiry)


def test_a_silence_of_a_file_that_does_not_load() -> None:
    silence = Silence(dag_id="broken.py", reason="being fixed", expires=date(2024, 6, 3))
    assert Silences(silences=[silence]).reason(Alert(Kind.IMPORT_ERROR, subject="broken.py"), NOW)
