"""Failed logins at a real API server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import requests

from spellbook.login_limit import FAILURES, SECONDS

if TYPE_CHECKING:
    from tests.integration.access.conftest import Api

CODES = requests.codes


def test_a_token_can_not_be_got_by_guessing(api: Api) -> None:
    wrong = [api.login("Admin", f"guess {n}", path) for n in range(FAILURES // 2) for path in ("", "/cli")]
    assert {response.status_code for response in wrong} == {CODES.unauthorized}
    refused = api.login("Admin", api.password)
    assert refused.status_code == CODES.too_many_requests
    assert 0 < int(refused.headers["Retry-After"]) <= SECONDS
    assert "too many failed logins" in refused.json()["detail"]
    assert requests.get(f"{api.url}/api/v2/version", timeout=60).status_code == CODES.ok


def test_a_session_can_not_be_got_by_guessing(api: Api) -> None:
    url = f"{api.url}/auth/login/"
    with requests.Session() as browser:
        page = browser.get(url, timeout=60).text
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert found, page
        form = {"username": "Admin", "password": "guess", "csrf_token": found[1]}  # pragma: allowlist secret
        statuses = [browser.post(url, form, timeout=60, allow_redirects=False).status_code for _ in range(8)]
    assert statuses[0] != CODES.too_many_requests
    assert statuses[-1] == CODES.too_many_requests
