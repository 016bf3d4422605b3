from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from devstack.upstreams.app import DATASETS
from devstack.upstreams.server import PortTakenError, serve

REPOSITORY = Path(__file__).resolve().parents[3]


def test_about_names_days_licence_and_attribution_of_each_data_set(upstreams: str) -> None:
    about = requests.get(f"{upstreams}/about", timeout=10).json()
    assert (about["first_day"], about["last_day"]) == ("2010-12-01", "2025-03-14")
    assert [dataset["name"] for dataset in about["datasets"]] == [dataset.name for dataset in DATASETS]
    for dataset in about["datasets"]:
        assert all(dataset[name] for name in ("first_day", "last_day", "licence", "attribution", "note"))


def test_every_response_is_marked_as_sample_data(upstreams: str) -> None:
    for path in ("/about", "/health", "/nowhere", "/v1/archive", "/control/requests"):
        assert requests.get(upstreams + path, timeout=10).headers["x-sample-data"] == "recorded; see /about"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/v1/archive", 405)])
def test_unknown_paths_and_methods_are_refused_as_json(upstreams: str, method: str, path: str, status: int) -> None:
    response = requests.request(method, upstreams + path, timeout=10)
    assert response.status_code == status
    assert response.json()["error"]["message"].endswith("GET /about lists the APIs")


def test_a_taken_port_is_refused_by_name(upstreams: str) -> None:
    port = urlsplit(upstreams).port
    assert port
    with pytest.raises(PortTakenError, match=rf"port {port} of 127.0.0.1: address already in use"), serve(port):
        pytest.fail("served on a taken port")
    command = [sys.executable, "-m", "devstack.upstreams", "--port", str(port)]
    refused = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert (
        refused.stderr
        == f"port {port} of 127.0.0.1: address already in use; stop that program or choose another --port\n"
    )


def test_the_command_stops_on_sigterm_even_while_a_request_hangs() -> None:
    command = [sys.executable, "-m", "devstack.upstreams", "--port", "0"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().removeprefix("sample upstreams: ").strip().removesuffix("/about")
        try:
            assert requests.get(f"{url}/health", timeout=10).json() == {"status": "ok"}
            requests.put(f"{url}/control/scenario", json={"name": "hang", "path": "/sales"}, timeout=10)
            with pytest.raises(requests.ReadTimeout):
                requests.get(f"{url}/sales", timeout=0.2)
        finally:
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(10)
        assert time.monotonic() - started < 5


def test_a_server_in_a_thread_serves_and_stops() -> None:
    with serve() as url:
        assert requests.get(f"{url}/health", timeout=10).ok
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=2)
