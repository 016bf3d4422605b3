"""Start, find and stop the services of the embedded stack."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from devstack import environment, process
from devstack.environment import PREFERRED_UI_PORT, Upstream
from devstack.errors import StackError
from devstack.process import Record
from devstack.services import Service, declare
from devstack.state import State, port_is_free
from devstack.waiting import Activity, wait_for
from include.core.settings import POSTGRES

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
ADDRESS_IN_USE = os.strerror(errno.EADDRINUSE).lower()
HINT = "`make doctor` looks for the cause in the machine, the checkout and its settings."
TRIES = 3  # starts, if other programs take the stack's ports
REPORT_SECONDS = 10.0


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
        schedule: whether timetables and assets start runs.
        durable: ``False`` for throw-away test databases.
        overrides: environment variables that differ from the defaults.
        say: receives progress messages.
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
    def warehouse_uri(self) -> str:
        """URI of the warehouse that DAGs load into: the stack's own database, unless a setting names another."""
        return environment.connection_uri(self.airflow_environment()[POSTGRES.variable])

    @property
    def dags(self) -> Path:
        """The folder that DAG files are read from."""
        return Path(self.airflow_environment()["AIRFLOW__CORE__DAGS_FOLDER"])

    @property
    def services(self) -> list[str]:
        """The names of all services."""
        return list(self._declared())

    def ensure(self, names: Iterable[str]) -> None:
        """Start the named services, and what they need, in parallel unless they are running; return when all are ready.

        Raises:
            StackError: if a service doesn't become ready; the message has its name and the end of its log.
        """
        with self.state.lock():
            for _ in range(TRIES):
                services = self._services_with_free_ports(names)
                try:
                    return self._start_all(services)
                except StackError as error:  # another program may have taken a port in the meantime, or for a moment
                    if ADDRESS_IN_USE not in str(error).lower() and not self._taken_ports(services):
                        raise StackError(f"{error}\n{HINT}") from error
            raise StackError(f"other programs took the stack's ports {TRIES} times while it started; try again")

    def require_running(self, names: Iterable[str]) -> None:
        """Check that the named services, and what they need, are still running.

        Raises:
            StackError: if some have ended; the message has their names and logs.
        """
        ended = [service for name, service in _with_needs(self._declared(), names).items() if not self._running(name)]
        if ended:
            details = "\n".join(f"{service.name} has ended. {_tail(service)}" for service in ended)
            raise StackError(f"{details}\nThe next `make run` or `make up` restarts it.")

    def _start_all(self, services: Mapping[str, Service]) -> None:
        self._stop_outdated(services)
        stopped = [name for name in services if not self._running(name)]
        if stopped:
            self.say(f"starting {', '.join(stopped)} …")
        started: dict[str, Future[None]] = {}
        given_up = Event()
        with ThreadPoolExecutor(len(services)) as pool:
            try:
                for name, service in services.items():
                    needed = [started[other] for other in service.needs]
                    started[name] = pool.submit(self._start, service, needed, given_up)
                futures.wait(started.values())
            except BaseException:  # such as a signal: what starts after the others were stopped would be left behind
                given_up.set()
                raise
        for outcome in started.values():
            outcome.result()

    def _stop_outdated(self, services: Mapping[str, Service]) -> None:
        """Stop services whose configuration has changed, or that need a service that has ended."""
        for name, service in services.items():
            if not (record := self._running(name)):
                continue
            if record.fingerprint != service.fingerprint:
                changes = ", ".join(environment.changed_names(record.fingerprint, service.fingerprint))
                self.say(f"{name}: restarting, because {changes} changed")
            elif ended := [other for other in service.needs if not self._running(other)]:
                self.say(f"{name}: restarting, because it needs {', '.join(ended)}, which has ended")
            else:
                continue
            self._stop(name)

    def stop(self) -> list[str]:
        """Stop all running services; return their names."""
        with self.state.lock():
            return [name for name in STOP_ORDER if self._stop(name)]

    def status(self) -> list[Status]:
        """Return the status of every service."""
        return [
            Status(
                service.name,
                record.pid if (record := self._running(service.name)) else None,
                {port: self.state.port(port) for port in service.ports},
                str(service.log),
            )
            for service in self._declared().values()
        ]

    def is_running(self, name: str) -> bool:
        """Tell whether the service's process is running."""
        return self._running(name) is not None

    def _declared(self) -> dict[str, Service]:
        return declare(self.state, self.airflow_environment(), durable=self.durable)

    def _services_with_free_ports(self, names: Iterable[str]) -> dict[str, Service]:
        """Return the named services and what they need; replace ports that another program took."""
        self.state.port("api", PREFERRED_UI_PORT)
        services = _with_needs(self._declared(), names)
        moved = self._taken_ports(services)
        if not moved:
            return services
        for port in moved:
            old = self.state.port(port)
            self.state.forget_port(port)
            self.say(f"port {old} ({port}) was taken by another program; using {self.state.port(port)}")
        return _with_needs(self._declared(), names)

    def _taken_ports(self, services: Mapping[str, Service]) -> list[str]:
        """Return the ports of stopped services on which another program listens."""
        return [
            port
            for service in services.values()
            if not self._running(service.name)
            for port in service.ports
            if not port_is_free(self.state.port(port))
        ]

    def _start(self, service: Service, needed: Iterable[Future[None]], given_up: Event) -> None:
        if not service.overlaps:
            for other in needed:
                other.result()
        if given_up.is_set():
            raise StackError(f"{service.name} was not started")
        record = self._running(service.name)
        if record is None:
            started_at = time.monotonic()
            process.keep_previous(service.log)
            record = Record.of(service.start(), service.fingerprint)
            record.write(self._record(service.name))
            self._wait_until_ready(service, record, needed, given_up)
            self.say(f"{service.name}: ready after {time.monotonic() - started_at:.1f} s")
        else:
            self._wait_until_ready(service, record, needed, given_up)

    def _wait_until_ready(
        self, service: Service, record: Record, needed: Iterable[Future[None]], given_up: Event
    ) -> None:
        activity = service.activity or {service.name: Activity([self._record(service.name)], [service.log])}
        missing: Sequence[str] = tuple(activity)
        reported_at = time.monotonic()

        def is_ready() -> bool:
            nonlocal missing, reported_at
            if given_up.is_set():
                raise StackError(f"{service.name} was not waited for")
            for other in needed:
                if other.done():
                    other.result()
            missing = service.missing(record)
            running = record.process()
            if running is None:
                raise StackError(f"{service.name} ended during its start. {_tail(service)}")
            if missing and time.monotonic() - reported_at > REPORT_SECONDS:
                reported_at = time.monotonic()
                self.say(f"{service.name}: waiting for {', '.join(missing)}; log: {service.log}")
            # Another program may have taken the port in the meantime, and respond instead.
            return not missing and all(process.is_listening(running, self.state.port(port)) for port in service.ports)

        wait_for(
            is_ready,
            f"{service.name} to be ready",
            progress=lambda: [*missing, *(activity[name]() for name in missing)],
            hint=lambda: _tail(service),
        )

    def _record(self, name: str) -> Path:
        return self.state.services / f"{name}.json"

    def _running(self, name: str) -> Record | None:
        record = Record.read(self._record(name))
        return record if record and record.process() else None

    def _stop(self, name: str) -> bool:
        record = self._running(name)
        running = record.process() if record else None
        if running and running.pid != os.getpid():
            process.stop(running)
        self._record(name).unlink(missing_ok=True)
        return running is not None


def _with_needs(services: Mapping[str, Service], names: Iterable[str]) -> dict[str, Service]:
    wanted = {needed for name in names for needed in (*services[name].needs, name)}
    return {name: service for name, service in services.items() if name in wanted}


def _tail(service: Service, lines: int = 15) -> str:
    if not service.log.exists():
        return "It has no log."
    end = "\n".join(service.log.read_text(errors="replace").splitlines()[-lines:])
    return f"The end of {service.log}:\n{end}"
