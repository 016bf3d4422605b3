"""What each role may do, as FAB defines the roles: every endpoint is called by every role at a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from tests.integration.access.conftest import Api

ANONYMOUS = "anonymous"
ORDER = (ANONYMOUS, "Public", "Viewer", "User", "Op", "Admin")  # each may do what those before it may
RUNS = "/dags/absent/dagRuns"
TASKS = f"{RUNS}/absent/taskInstances"

# The first role that may call the endpoint; nothing exists, so one that may gets 200, 404 or 422.
FIRST = {
    "Viewer": (
        "GET /assets",
        "GET /assets/events",
        "GET /dagSources/absent",
        "GET /dagStats",
        "GET /dagTags",
        "GET /dagWarnings",
        "GET /dags",
        "GET /dags/absent",
        "GET /dags/absent/details",
        f"GET {RUNS}",
        f"GET {RUNS}/absent",
        f"GET {TASKS}",
        f"GET {TASKS}/absent/logs/1",
        f"GET {TASKS}/absent/xcomEntries",
        "GET /importErrors",
        "GET /jobs",
        "GET /pools",
    ),
    "User": (
        "DELETE /dags/absent",
        "PATCH /dags/absent",
        "POST /dags/absent/clearTaskInstances",
        f"DELETE {RUNS}/absent",
        f"POST {RUNS}",
        f"POST {RUNS}/absent/clear",
        f"PATCH {TASKS}/absent",
        "POST /assets/events",
    ),
    "Op": (
        "GET /connections",
        "POST /connections",
        "DELETE /connections/absent",
        "GET /connections/absent",
        "DELETE /pools/absent",
        "POST /pools",
        "GET /plugins",
        "GET /providers",
        "GET /variables",
        "POST /variables",
        "DELETE /variables/absent",
    ),
    "Admin": ("GET /eventLogs",),
    "nobody": ("GET /config",),  # [api] expose_config
}
ENDPOINTS = [(endpoint, first) for first, endpoints in FIRST.items() for endpoint in endpoints]


@pytest.mark.parametrize(("endpoint", "first"), ENDPOINTS, ids=[endpoint for endpoint, _ in ENDPOINTS])
def test_an_endpoint_is_open_to_the_roles_that_need_it(api: Api, endpoint: str, first: str) -> None:
    method, path = endpoint.split()
    statuses = {}
    for role in ORDER:
        headers = {} if role == ANONYMOUS else {"Authorization": f"Bearer {api.tokens[role]}"}
        response = requests.request(method, f"{api.url}/api/v2{path}", json={}, headers=headers, timeout=120)
        statuses[role] = response.status_code
    allowed = ORDER[ORDER.index(first) :] if first in ORDER else ()
    assert statuses[ANONYMOUS] == requests.codes.unauthorized
    refused = {role for role, status in statuses.items() if status in {401, 403}}
    assert refused == set(ORDER) - set(allowed), statuses
    assert all(statuses[role] < requests.codes.server_error for role in allowed), statuses


@pytest.mark.parametrize("path", ["", "datasets/weather_data", "models", "alerts"])
def test_data_health_is_open_to_those_who_may_read_assets_and_says_that_the_warehouse_is_down(
    api: Api, path: str
) -> None:
    url = f"{api.url}/data-health/{path}"
    assert requests.get(url, timeout=120).status_code == requests.codes.unauthorized
    for role, status in {"Public": 403, "Viewer": 200}.items():
        response = requests.get(url, headers={"Authorization": f"Bearer {api.tokens[role]}"}, timeout=120)
        assert response.status_code == status
    assert "the warehouse isn't available to this page" in response.text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
