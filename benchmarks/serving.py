"""Latency, throughput, CPU time and memory of the model server: ``python -m benchmarks.serving``.

The server process of the embedded stack, with its MLflow and PostgreSQL, serves a trained soft vote. Requests at a
fixed rate form an open loop: each is due at a fixed time, and its latency counts from then, even if it waits for a
connection. CPU time is the server's, of all its threads; the load comes from this process.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
import requests
from rich.console import Console
from rich.table import Table

from devstack.environment import Upstream, local_url
from devstack.postgres import WAREHOUSE, Postgres
from devstack.stack import Stack
from devstack.state import REPOSITORY, State
from include.core.ml import artifact, standalone, tracking_server
from include.core.ml.registry import MODEL_FOLDER, Record, Registry
from include.core.ml.spec import to_records
from include.core.ml.tracking import Server
from include.domains.titanic.models import soft_vote
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC

LIST = REPOSITORY / "include" / "data" / "titanic" / "train.csv"
CONNECTIONS = 16
MEGABYTE = 1024**2


@dataclass(frozen=True)
class Load:
    """What the server did under a load: wall seconds, its CPU seconds, and the latency of each request."""

    seconds: float
    cpu: float
    latencies: list[float]
    rows: int  # of each request

    def figures(self) -> dict[str, float]:
        """Return the figures by name."""
        percentiles = quantiles(self.latencies, n=100, method="inclusive")
        requests_ = len(self.latencies)
        return {
            "requests": requests_,
            "requests_per_second": requests_ / self.seconds,
            "rows_per_second": requests_ * self.rows / self.seconds,
            "cpu_ms_per_request": self.cpu / requests_ * 1000,
            "p50_ms": percentiles[49] * 1000,
            "p99_ms": percentiles[98] * 1000,
            "max_ms": max(self.latencies) * 1000,
        }


class Client:
    """Connections to the server at ``url``, with requests of its own rows."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self._host, _, self._port = url.removeprefix("http://").partition(":")
        self._process = process
        records = to_records(PASSENGER_LIST.read(LIST.read_bytes())[list(COLUMNS)])
        self._records = itertools.cycle(records)

    async def open_loop(self, rate: float, seconds: float) -> Load:
        """Send requests of one row at a fixed rate over :data:`CONNECTIONS`."""
        return await self._run(1, int(rate * seconds), CONNECTIONS, 1 / rate)

    async def closed_loop(self, rows: int, count: int, connections: int) -> Load:
        """Send requests one after another over each connection."""
        return await self._run(rows, count, connections, 0)

    async def _run(self, rows: int, count: int, connections: int, interval: float) -> Load:
        bodies = iter([self._request(rows) for _ in range(count)])
        latencies: list[float] = []
        cpu, started_at = self._cpu(), time.perf_counter()
        due = (started_at + number * interval for number in itertools.count())

        async def work() -> None:
            reader, writer = await asyncio.open_connection(self._host, int(self._port), limit=64 * MEGABYTE)
            for body in bodies:
                begin = next(due) if interval else time.perf_counter()
                await asyncio.sleep(max(0, begin - time.perf_counter()))
                writer.write(body)
                await _response(reader)
                latencies.append(time.perf_counter() - begin)
            writer.close()

        await asyncio.gather(*(work() for _ in range(connections)))
        return Load(time.perf_counter() - started_at, self._cpu() - cpu, latencies, rows)

    def _request(self, rows: int) -> bytes:
        body = json.dumps({TITANIC.rows_name: list(itertools.islice(self._records, rows))}).encode()
        head = f"POST /predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        return f"{head}Content-Type: application/json\r\n\r\n".encode() + body

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


async def _response(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    body = await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    if " 200 " not in head.partition("\r\n")[0]:
        raise RuntimeError(f"the server answered {body.decode()[:500]}")


@contextmanager
def stack() -> Iterator[Stack]:
    """An embedded stack with MLflow and a warehouse."""
    with tempfile.TemporaryDirectory(prefix="spellbook-serving-") as folder:
        Path(folder).chmod(0o755)
        result = Stack(State.open(Path(folder) / "state"), Upstream.REPLAY)
        try:
            result.ensure(("mlflow",))
            Postgres.of(result.state).prepare_warehouse()
            yield result
        finally:
            result.stop()
            Postgres.of(result.state).remove()


def register(stack: Stack) -> None:
    """Train the soft vote on all passengers, register it and make it champion."""
    table = PASSENGER_LIST.read(LIST.read_bytes())
    rows = table[list(COLUMNS)]
    model = soft_vote().fit(rows, table[LABEL])
    user, state = tracking_server.PIPELINE, stack.state
    server = Server(local_url(state, "mlflow"), user, state.secret(f"mlflow-{user}"))
    registry = Registry(server, TITANIC.name, lambda: Postgres.of(state).uri(WAREHOUSE))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sha256 = standalone.save(model, folder / MODEL_FOLDER, rows.head(5), TITANIC.trusted_types, TITANIC)
        files = {f"{MODEL_FOLDER}/{artifact.MODEL_FILE}": sha256}
        registry.promote(registry.publish("benchmark", files, folder, Record({}, {}, {})))


def start(stack: Stack) -> tuple[psutil.Process, dict[str, float]]:
    """Start the model server; return it, and how long it took to answer and to serve."""
    url, moments, ended = local_url(stack.state, "model_server"), dict[str, float](), threading.Event()

    def poll() -> None:
        while len(moments) < 2 and not ended.is_set():
            time.sleep(0.02)
            try:
                health = requests.get(f"{url}/health", timeout=5).json()
            except requests.RequestException:
                continue
            moments.setdefault("answers", time.time())
            if health["version"]:
                moments["serves"] = time.time()

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        stack.ensure(("model_server",))
        thread.join(60)
    finally:
        ended.set()
    process = next(psutil.Process(item.pid) for item in stack.status() if item.name == "model_server" and item.pid)
    seconds = {f"seconds_until_it_{name}": moment - process.create_time() for name, moment in moments.items()}
    return process, seconds | {"cpu_seconds": sum(process.cpu_times()[:2])}


def memory(process: psutil.Process) -> float:
    """Return the most megabytes that the process ever had in memory."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Measure, print the tables, and write the figures to a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="duration of each open loop (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=Path("serving.json"), help="file of the figures")
    arguments = parser.parse_args()
    with stack() as running:
        register(running)
        load_before = os.getloadavg()[0]
        process, started = start(running)
        resident = process.memory_info().rss / MEGABYTE
        client = Client(local_url(running.state, "model_server"), process)
        loads: dict[str, dict[str, float]] = {}
        asyncio.run(client.closed_loop(1, 200, 1))  # the first requests compile and fill caches
        for name, coroutine in {
            "one row, one connection": client.closed_loop(1, 500, 1),
            "one row, 100 requests/s, open loop": client.open_loop(100, arguments.seconds),
            f"one row, {CONNECTIONS} connections": client.closed_loop(1, 3000, CONNECTIONS),
            "100 rows, 4 connections": client.closed_loop(100, 300, 4),
            "10,000 rows, one connection": client.closed_loop(10_000, 4, 1),
        }.items():
            loads[name] = asyncio.run(coroutine).figures()
        result = {
            "cores": os.cpu_count(),
            "load_average_before": load_before,
            "start": started,
            "rss_mb": {"after the start": resident, "at most": memory(process)},
            "loads": loads,
        }
    arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    _print(result)


def _print(result: dict[str, Any]) -> None:
    console = Console(width=160)
    table = Table(title=f"Load average before: {result['load_average_before']:.1f}", title_justify="left")
    columns = ("requests_per_second", "rows_per_second", "cpu_ms_per_request", "p50_ms", "p99_ms", "max_ms")
    for heading in ("load", *(column.replace("_", " ") for column in columns)):
        table.add_column(heading, justify="left" if heading == "load" else "right")
    for name, figures in result["loads"].items():
        table.add_row(name, *(f"{figures[column]:.1f}" for column in columns))
    console.print(table)
    for key in ("start", "rss_mb"):
        console.print(key, {name: round(value, 2) for name, value in result[key].items()})


if __name__ == "__main__":
    main()
