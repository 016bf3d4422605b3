"""Run a function in a forked process, so that its imports and patches don't affect this one."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

IMPORT_TIME = "import time:"
IDLE_SECONDS = 15


class HungError(RuntimeError):
    """The work exceeded its time and was killed."""


class EndedError(RuntimeError):
    """The work ended its process without a result; the message is what it wrote to stderr."""


def in_fork(work: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
    """Return what ``work(*arguments, stderr)`` returns; it must fit into JSON.

    ``stderr`` is the file that the process's stderr goes to, so that the work can read the times of its own imports.

    Args:
        work: the function.
        arguments: its arguments.
        seconds: CPU time that it may take; wall time depends on the load of the machine.

    Raises:
        HungError: if it takes more CPU time, or is idle for too long.
        EndedError: if the process ends without a result.
    """
    with tempfile.TemporaryDirectory() as folder:
        stderr, result = Path(folder, "stderr"), Path(folder, "result.json")
        process = get_context("fork").Process(target=_work, args=(work, arguments, stderr, result))
        process.start()
        try:
            _watch(process, seconds)
        finally:
            process.kill()
            process.join()
        if not result.exists():
            lines = stderr.read_text(encoding="utf-8", errors="replace").splitlines()
            raise EndedError("\n".join(line for line in lines if not line.startswith(IMPORT_TIME)))
        return json.loads(result.read_text(encoding="utf-8"))


def _watch(process: BaseProcess, seconds: float) -> None:
    spent, moved = 0.0, time.monotonic()
    while process.is_alive():
        process.join(0.1)
        try:
            times = psutil.Process(process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return
        if times.user + times.system > seconds:
            raise HungError(f"did not end within {seconds} s of CPU time")
        if times.user + times.system > spent:
            spent, moved = times.user + times.system, time.monotonic()
        elif time.monotonic() - moved > IDLE_SECONDS:
            raise HungError(f"waited {IDLE_SECONDS} s for something")


def slowest_imports(stderr: Path, count: int) -> list[str]:
    """Return the ``count`` slowest imports that ``python -X importtime`` recorded, each with its milliseconds."""
    timed: list[tuple[int, str]] = []
    for line in stderr.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.removeprefix(IMPORT_TIME).split("|")
        if line.startswith(IMPORT_TIME) and len(parts) == 3 and parts[1].strip().isdigit():
            timed.append((int(parts[1]), parts[2].strip()))
    slowest = sorted(timed, key=lambda item: item[0], reverse=True)[:count]
    return [f"{name} {microseconds / 1000:.0f} ms" for microseconds, name in slowest]


def _work(work: Callable[..., Any], arguments: tuple[Any, ...], stderr: Path, result: Path) -> None:
    os.dup2(os.open(stderr, os.O_CREAT | os.O_WRONLY), sys.stderr.fileno())
    faulthandler.enable(all_threads=False)  # a crash names its line
    content = json.dumps(work(*arguments, stderr))
    result.write_text(content, encoding="utf-8")
    os._exit(0)  # without waiting for threads that the work left
