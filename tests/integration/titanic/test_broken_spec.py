"""A server for several models, one of whose specs can't be imported: it is named, and the others are served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from devstack.state import free_port
from tests.integration.conftest import Mlflow
from tests.integration.process import Process

MODULES = {
    "churn": "import no_such_module",
    "titanic": "from include.domains.titanic.spec import TITANIC as TITANIC",
}
REASON = "shop.churn.spec can't be imported: ModuleNotFoundError: No module named 'no_such_module'"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a package of two domains, and a module that collects their specs."""
    for name, code in MODULES.items():
        (tmp_path / "shop" / name).mkdir(parents=True)
        (tmp_path / "shop" / name / "__init__.py").touch()
        (tmp_path / "shop" / name / "spec.py").write_text(code)
    (tmp_path / "shop/__init__.py").touch()
    collect = "import shop\nfrom include.core.ml.specs import Specs, collect_specs\n"
    (tmp_path / "shop_models.py").write_text(f"{collect}SPECS, NONE = collect_specs(shop), Specs({{}}, {{}})\n")
    return tmp_path


@pytest.fixture
def server(request: pytest.FixtureRequest, shop: Path, mlflow: Mlflow, warehouse: str) -> Iterator[Process]:
    """A real server of the specs that the test names."""
    file, port = shop / "warehouse.uri", free_port()
    file.write_text(warehouse)
    command = ["include.core.ml.serving", f"shop_models:{request.param}", "--mlflow-uri", mlflow.url]
    command += ["--warehouse-file", str(file), "--spool", str(shop / "spool.sqlite"), "--port", str(port)]
    process = Process(command, f"http://127.0.0.1:{port}", shop / "log", {"PYTHONPATH": str(shop)})
    process.start()
    yield process
    process.kill()


def get(server: Process, path: str) -> requests.Response:
    return requests.get(f"{server.url}{path}", timeout=60)


@pytest.mark.parametrize("server", ["SPECS"], indirect=True)
def test_the_others_are_served(server: Process) -> None:
    assert REASON.partition(" can't")[0] in server.log.read_text()
    for path in ("/health", "/models/titanic/health"):
        health = get(server, path).json()
        assert (health["model"], health["others"]) == ("titanic", {"churn": REASON})
    broken = get(server, "/models/churn/health").json()
    assert (broken["model"], broken["model_error"], broken["is_refused"]) == ("churn", REASON, True)
    response = requests.post(f"{server.url}/models/churn/predictions", json={"rows": [{}]}, timeout=60)
    assert (response.status_code, response.json()) == (503, {"detail": f"no model: {REASON}"})
    metrics = get(server, "/metrics").text
    assert 'spellbook_model_refused{model="churn"} 1.0' in metrics
    assert 'spellbook_model_version{model="titanic"} 0.0' in metrics
    assert get(server, "/models/nobody/health").status_code == 404


@pytest.mark.parametrize("server", ["NONE"], indirect=True)
def test_a_server_without_models_responds(server: Process) -> None:
    health = get(server, "/health").json()
    assert (health["model_error"], health["is_refused"]) == ("no domain has a model", False)
    assert requests.post(f"{server.url}/predictions", json={}, timeout=60).status_code == 503
