"""Start, find again and stop the services of the embedded stack."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from devstack import environment, process
from devstack.environment import PREFERRED_UI_PORT, Upstream
from devstack.errors import StackError
from devstack.process import Record
from devstack.services import Service, declare
from devstack.state import State, port_is_free

# Each needs the ones before it; the others need nothing.
STOP_ORDER = (
    "airflow",
    "model_server",
    "mlflow",
    "kubernetes_double",
    "s3",
    "sinks",
    "upstreams",
    "postgres",
    "keeper",
)
NEEDED_BY = {"airflow": ("postgres",), "mlflow": ("postgres",), "model_server": ("postgres",)}
TRIES = 3  # starts, while other programs take our ports


@dataclass(frozen=True)
class Status:
    """State of one service: ``pid`` is ``None`` if it doesn't run."""

    name: str
    pid: int | None
    ports: dict[str, int]
    log: str


@dataclass(frozen=True)
class Stack:
    """The embedded stack in one state folder.

    Attributes:
        schedule: whether time tables and assets start runs by themselves.
        durable: ``False`` for databases that a test throws away.
        overrides: environment variables that differ from what every stack has.
        say: receives a line whenever something worth knowing happens.
    """

    state: State
    upstream: Upstream = Upstream.REPLAY
    schedule: bool = False
    durable: bool = True
    overrides: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] = print

    def airflow_environment(self) -> dict[str, str]:
        """Return the environment of Airflow's processes."""
        return environment.airflow(self.state, self.upstream, schedule=self.schedule) | dict(self.overrides)

    @property
    def dags(self) -> Path:
        """The folder that DAG files are read from."""
        return Path(self.airflow_environment()["AIRFLOW__CORE__DAGS_FOLDER"])

    def ensure(self, names: Iterable[str]) -> None:
        """Start those of the named services (and what they need) that don't run, side by side; return when all answer.

        Raises:
            StackError: naming the service, its log and the end of it, if one doesn't become ready.
        """
        wanted = {needed for name in names for needed in (*NEEDED_BY.get(name, ()), name)}
        with self.state.lock():
            for _ in range(TRIES):
                services = self._services_with_free_ports(wanted)
                try:
                    return self._start_all(services, wanted)
                except StackError:
                    if not self._taken_ports(services, wanted):  # else another program took one while it started
                        raise
            raise StackError(f"other programs took the stack's ports {TRIES} times while it started; try again")

    def _start_all(self, services: dict[str, Service], wanted: set[str]) -> None:
        started: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(wanted)) as pool:
            for name in (name for name in services if name in wanted):
                needed = [started[other] for other in NEEDED_BY.get(name, ())]
                started[name] = pool.submit(self._start, services[name], needed)
        for outcome in started.values():
            outcome.result()

    def stop(self) -> list[str]:
        """Stop what runs; return the names of the services that were stopped."""
        with self.state.lock():
            return [name for name in STOP_ORDER if self._stop(name)]

    def status(self) -> list[Status]:
        """Return the status of every service."""
        services = declare(self.state, self.airflow_environment(), durable=self.durable)
        return [
            Status(
                service.name,
                record.pid if (record := self._running(service.name)) else None,
                {port: self.state.port(port) for port in service.ports},
                str(service.log),
            )
            for service in services.values()
        ]

    def is_running(self, name: str) -> bool:
        """Tell whether the service's process lives."""
        return self._running(name) is not None

    def _services_with_free_ports(self, wanted: set[str]) -> dict[str, Service]:
        """Return the services; a port that another program took since the last start is chosen anew."""
        self.state.port("api", PREFERRED_UI_PORT)
        services = declare(self.state, self.airflow_environment(), durable=self.durable)
        moved = self._taken_ports(services, wanted)
        if not moved:
            return services
        for port in moved:
            taken = self.state.port(port)
            self.state.forget_port(port)
            self.say(f"port {taken} ({port}) was taken by another program; using {self.state.port(port)}")
        return declare(self.state, self.airflow_environment(), durable=self.durable)

    def _taken_ports(self, services: dict[str, Service], wanted: set[str]) -> list[str]:
        """Return the ports of wanted services that don't run, which something else listens on."""
        return [
            port
            for service in services.values()
            if service.name in wanted and not self._running(service.name)
            for port in service.ports
            if not port_is_free(self.state.port(port))
        ]

    def _start(self, service: Service, needed: Iterable[Future[None]]) -> None:
        record = self._running(service.name)
        if record and record.fingerprint != service.fingerprint:
            self.say(f"{service.name}: its configuration changed; starting it again")
            self._stop(service.name)
            record = None
        if record and service.ready(record):
            return
        for other in needed:
            other.result()
        if record is None:
            begun = time.monotonic()
            record = Record.of(service.start(), service.fingerprint)
            record.write(self.state.services / f"{service.name}.json")
            self._wait_until_ready(service, record)
            self.say(f"{service.name}: ready after {time.monotonic() - begun:.1f} s")
        else:
            self._wait_until_ready(service, record)

    def _wait_until_ready(self, service: Service, record: Record) -> None:
        deadline = time.monotonic() + service.patience
        while not service.ready(record):
            if record.process() is None:
                raise StackError(f"{service.name} ended while it started. {_tail(service)}")
            if time.monotonic() > deadline:
                raise StackError(f"{service.name} is not ready after {service.patience:.0f} s. {_tail(service)}")
            time.sleep(0.1)

    def _running(self, name: str) -> Record | None:
        record = Record.read(self.state.services / f"{name}.json")
        return record if record and record.process() else None

    def _stop(self, name: str) -> bool:
        record = self._running(name)
        path = self.state.services / f"{name}.json"
        running = record.process() if record else None
        if running and running.pid != os.getpid():
            process.stop(running)
        path.unlink(missing_ok=True)
        return running is not None


def _tail(service: Service, lines: int = 15) -> str:
    if not service.log.exists():
        return "It wrote no log."
    end = "\n".join(service.log.read_text(errors="replace").splitlines()[-lines:])
    return f"The end of {service.log}:\n{end}"
