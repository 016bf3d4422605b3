"""Real servers for alerts: Slack, mail, and an outbox in its own database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from airflow.sdk import Variable

from devstack.state import free_port
from include.core.warehouse.connect import Session, connect
from include.ops.alerts import delivery
from include.ops.alerts.outbox import Outbox
from include.ops.alerts.routing import Routing, Silences
from include.settings import CONNECTIONS
from tests.integration.alerts.bench import Bench
from tests.integration.alerts.servers import Mail, Slack, serve

VARIABLES = {connection.conn_id: connection for connection in CONNECTIONS}


@pytest.fixture
def session(warehouse: str) -> Iterator[Session]:
    """A session on a warehouse without any alert."""
    with connect(warehouse) as session:
        yield session


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    with Slack() as server:
        thread = serve(server)
        declared = VARIABLES["slack_default"]
        monkeypatch.setenv(declared.variable, declared.to_json(password=server.url))
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mail]:
    server = Mail(free_port())
    declared = VARIABLES["smtp_default"]
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "spellbook@localhost"}
    monkeypatch.setenv(declared.variable, declared.to_json(host="127.0.0.1", port=server.port, extra=extra))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_bench(
    session: Session, slack: Slack, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> Callable[[type[Outbox]], Bench]:
    """Return a bench around an outbox of the given class, with a time-out of two seconds."""
    monkeypatch.setattr(delivery, "TIMEOUT_SECONDS", 2)

    def make(kind: type[Outbox] = Outbox) -> Bench:
        return Bench(kind(session, Routing.load(), Silences(), delivery.deliver), slack, mail)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Airflow's Variables, which only exist where Airflow runs the code."""
    stored: dict[str, str] = {}
    methods: dict[str, Callable[..., object]] = {
        "get": lambda name, default=None: stored.get(name, default),
        "set": lambda name, value, **_: stored.update({name: value}),
        "keys": lambda prefix: [name for name in stored if name.startswith(prefix)],
        "delete": lambda name: stored.pop(name, None),
    }
    for name, method in methods.items():
        monkeypatch.setattr(Variable, name, method)
    return stored
