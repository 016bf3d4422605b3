"""The environment of Airflow's processes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devstack import environment
from devstack.environment import Upstream, airflow, changed_names, connections, fingerprint, process_environment
from devstack.errors import StackError
from devstack.state import REPOSITORY, State
from include import settings

PORTS = (
    "postgres", "api", "upstreams", "smtp", "slack", "s3", "mlflow", "model_server"
)  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A state with fixed ports."""
    state = State.open(tmp_path / "state")
    (state.root / "ports.json").write_text(json.dumps({name: 5000 + index for index, name in enumerate(PORTS)}))
    return state


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the repository whose files can be changed."""
    copy = tmp_path / "repository"
    copy.mkdir()
    for name in ("airflow.cfg", "requirements/dev.txt", "dags", "plugins", "include"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "data"))
        else:
            (copy / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    monkeypatch.setattr(environment, "REPOSITORY", copy)
    return copy


def test_variables_of_another_airflow_or_server_are_dropped(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRFLOW_HOME", "AIRFLOW_CONN_POSTGRES_DEFAULT", "AIRFLOW_CONN_MINE", "AIRFLOW__CORE__EXECUTOR",
                 "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY", "AIRFLOW_VAR_X", "PGSSLMODE", "AWS_PROFILE",
                 "MLFLOW_TRACKING_URI", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"):  # fmt: skip
        monkeypatch.setenv(name, "/callers/own")
    monkeypatch.setenv("CALLER", "stays")
    variables = airflow(state, Upstream.REPLAY, schedule=False)
    assert [name for name, value in variables.items() if "/callers/own" in value] == []
    assert "PYTHONDONTWRITEBYTECODE" not in variables
    assert variables["CALLER"] == "stays"
    assert variables["PYTHONPATH"].split(":") == [str(REPOSITORY), str(REPOSITORY / "plugins")]


def test_another_thread_may_change_the_environment_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    class Changing(dict[bytes, bytes]):
        """Variables of which one is gone as soon as the names have been read."""

        def __iter__(self) -> Iterator[bytes]:
            names = list(super().__iter__())
            self.pop(b"PYTEST_CURRENT_TEST", None)
            return iter(names)

    variables = Changing({b"PYTEST_CURRENT_TEST": b"a test", b"CALLER": b"stays"})
    monkeypatch.setattr(os.environ, "_data", variables)
    values = process_environment()
    assert values["CALLER"] == "stays"
    assert "PYTEST_CURRENT_TEST" not in values


@pytest.mark.parametrize("existing", ["", "corp.example"])
def test_the_stacks_own_servers_bypass_the_proxy(existing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", existing)
    direct = process_environment()["no_proxy"].split(",")
    assert direct == ["127.0.0.1", "localhost", *([existing] if existing else [])]


@pytest.mark.parametrize("upstream", list(Upstream))
def test_every_declared_connection_has_a_variable(state: State, upstream: Upstream) -> None:
    variables = connections(state, upstream)
    assert set(variables) == {declared.variable for declared in settings.CONNECTIONS}
    for declared in settings.CONNECTIONS:
        assert json.loads(variables[declared.variable])["conn_type"] == declared.conn_type
    is_live = json.loads(variables["AIRFLOW_CONN_WEATHER_DEFAULT"])["host"] == environment.LIVE_WEATHER
    assert is_live == (upstream is Upstream.LIVE)


def test_connections_are_loopback_and_follow_the_ports(state: State) -> None:
    variables = connections(state, Upstream.REPLAY)
    assert json.loads(variables["AIRFLOW_CONN_POSTGRES_DEFAULT"])["port"] == state.port("postgres")
    assert json.loads(variables["AIRFLOW_CONN_SMTP_DEFAULT"])["host"] == "127.0.0.1"
    assert urlsplit(json.loads(variables["AIRFLOW_CONN_SLACK_DEFAULT"])["password"]).netloc == (
        f"127.0.0.1:{state.port('slack')}"
    )


@pytest.mark.parametrize(
    "changed",
    ["airflow.cfg", "include/settings.py", "include/domains/weather/settings.py", "plugins/airflow_local_settings.py"],
)
def test_files_that_long_lived_processes_load_change_the_fingerprint(repository: Path, changed: str) -> None:
    before = fingerprint({})
    path = repository / changed
    path.write_text(path.read_text() + "\n# changed\n")
    assert fingerprint({}) != before


def test_a_new_plugin_changes_the_fingerprint(repository: Path) -> None:
    before = fingerprint({})
    (repository / "plugins" / "new.py").touch()
    assert fingerprint({}) != before


def test_a_dag_file_does_not_change_the_fingerprint(repository: Path) -> None:
    before = fingerprint({})
    (repository / "dags" / "new.py").write_text("print()")
    assert fingerprint({}) == before


def test_the_fingerprint_reads_airflows_variables_only() -> None:
    assert fingerprint({"AIRFLOW__CORE__PARALLELISM": "4"}) != fingerprint({"AIRFLOW__CORE__PARALLELISM": "5"})
    assert fingerprint({"TERM": "xterm"}) == fingerprint({"TERM": "dumb"})


def test_an_unknown_upstream_is_refused_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPELLBOOK_UPSTREAM", "nonsense")
    with pytest.raises(StackError, match="SPELLBOOK_UPSTREAM=nonsense is not one of live, replay, auto"):
        Upstream.from_environment()
    monkeypatch.setenv("SPELLBOOK_UPSTREAM", "replay")
    assert Upstream.from_environment() is Upstream.REPLAY


def test_a_service_that_was_started_without_a_fingerprint_differs() -> None:
    assert changed_names("", '{"include.domains.churn.spec": "served"}') == ["include.domains.churn.spec"]
