"""What signs a login on Kubernetes: an API server with the chart's ``webserver_config.py``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from devstack.postgres import Postgres
from tests import forgery
from tests.integration.deploy.api_server import API_KEY, SESSION_KEY, ApiServer


@pytest.fixture(scope="module")
def api_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = ApiServer(postgres, tmp_path_factory.mktemp("api-server"))
    server.start()
    yield server
    server.stop()


def test_a_login_signed_with_the_key_of_every_pod_is_refused(api_server: ApiServer) -> None:
    assert not forgery.is_admin(api_server.url, api_server.environment[API_KEY])


def test_a_login_signed_with_the_api_servers_own_key_is_accepted(api_server: ApiServer) -> None:
    assert forgery.is_admin(api_server.url, api_server.environment[SESSION_KEY])


def test_the_password_is_accepted(api_server: ApiServer) -> None:
    assert api_server.log_in().status_code == requests.codes.created
