from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from devstack.upstreams.client import ControlError
from tests.integration.upstreams.calls import archive, sales, weather

if TYPE_CHECKING:
    from devstack.upstreams.client import Control


def test_match_and_times_limit_a_scenario(upstreams: str, control: Control) -> None:
    with control.scenario("server_error", path="/v1/archive", match={"start_date": "2024-06-01"}, times=2) as rule:
        assert archive(upstreams, start_date="2024-06-02").status_code == 200
        assert sales(upstreams).status_code == 200
        assert [archive(upstreams).status_code for _ in range(3)] == [500, 500, 200]
        assert rule.played == 2


def test_scenarios_follow_each_other(upstreams: str, control: Control) -> None:
    control.scenario("rate_limited", times=1)
    control.scenario("server_error", times=1)
    assert [archive(upstreams).status_code for _ in range(3)] == [429, 500, 200]


def test_reset_ends_every_scenario_and_forgets_the_requests(upstreams: str, control: Control) -> None:
    rule = control.scenario("server_error")
    assert archive(upstreams).status_code == 500
    control.reset()
    assert archive(upstreams).status_code == 200
    assert [served["status"] for served in control.requests()] == [200]
    with pytest.raises(ControlError, match="was removed"):
        assert rule.played
    with pytest.raises(ControlError, match="no rule has the id"):
        rule.remove()


def test_requests_record_calls_and_times_without_keys(upstreams: str, control: Control) -> None:
    started = datetime.now(UTC)
    with control.scenario("server_error", path="/sales"):
        sales(upstreams)
    weather(upstreams)
    archive(upstreams, apikey="canary-key")
    first, second, third = control.requests()
    assert (first["path"], first["status"], first["scenario"]) == ("/sales", 500, "server_error")
    assert second["query"] == {"q": "London", "appid": "***", "units": "metric"}
    assert third["query"]["apikey"] == "***"
    assert started <= datetime.fromisoformat(first["time"]) <= datetime.fromisoformat(third["time"])
    assert [first["number"] + 1, first["number"] + 2] == [second["number"], third["number"]]
    assert control.requests(path="/sales") == control.requests(scenario="server_error") == [first]
    control.scenario("server_error", match={"appid": "canary-key"})
    assert "canary-key" not in json.dumps([control.scenarios(), control.requests()])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "earthquake"}, "name='earthquake' is not a scenario; allowed: answer_lost, bad_gateway_html,"),
        ({"name": "hang", "path": "v1"}, "path='v1': allowed: a path such as /v1/archive, or null for every path"),
        ({"name": "hang", "times": 0}, "times=0: allowed: 1 or more, or null"),
        ({"name": "hang", "match": ["a"]}, "match=['a']: allowed: an object"),
        ({"name": "hang", "after": 1}, "unknown field after; allowed: name, path, match, times, options"),
        ({"name": "hang", "options": {"x": 1}}, "scenario hang has no option x; allowed: none"),
        ({"name": "rate_limited", "options": {"retry_after": "1"}}, "retry_after='1' of scenario rate_limited"),
        ([], "the body must be an object"),
    ],
)
def test_a_bad_rule_is_422_and_says_what_is_allowed(upstreams: str, control: Control, body: Any, message: str) -> None:
    response = requests.put(f"{upstreams}/control/scenario", json=body, timeout=10)
    assert response.status_code == 422
    assert message in response.json()["error"]["message"]
    assert control.scenarios()["active"] == []


def test_the_client_raises_the_servers_error(control: Control) -> None:
    with pytest.raises(ControlError, match="is not a scenario; allowed: answer_lost"):
        control.scenario("earthquake")
