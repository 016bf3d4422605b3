"""Runs a function on a model file in a process of its own: with limits, without a network and without secrets.

A model file contains no code, but a damaged or crafted one can still end the process that loads it (a tree whose child
is out of range), take its memory, or never return.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from include.core.ml.errors import SandboxError
from include.core.ml.sandbox.content import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.core.ml.sandbox.content import Content

MIB = 1024 * 1024
REPOSITORY = Path(__file__).parents[4]
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
IDLE_SECONDS = 60  # without any use of the CPU
POLL_SECONDS = 5
SHOWN_CHARACTERS = 500


@dataclass(frozen=True)
class Limits:
    """Limits of a sandboxed process.

    Attributes:
        memory: bytes that it may take in addition to its libraries; not enforced on macOS.
        cpu: seconds of CPU.
    """

    memory: int = 1536 * MIB
    cpu: int = 1800


def run(job: Callable[[Content], Content], content: Content, limits: Limits | None = None) -> Content:
    """Return the result of ``job``, a function of a module, in a process of its own.

    Raises:
        SandboxError: if the job raised an exception, ended its process, exceeded a limit, or came to a standstill.
    """
    limits = limits or Limits()
    name = f"{job.__module__}:{job.__qualname__}"
    environment = {key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ}
    environment |= dict.fromkeys(THREADS, "1") | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile() as file:
        file.write(encode(content))
        file.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "include.core.ml.sandbox", name, str(limits.memory), str(limits.cpu)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            env=environment,
        )
        output, messages = _communicate(process)
    if process.returncode:
        raise SandboxError(_reason(process.returncode, messages.decode(errors="replace")))
    received = decode(output)
    if error := received.get("error"):
        raise SandboxError(str(error))
    return received


def _communicate(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    used, since = -1.0, time.monotonic()
    while True:
        try:
            return process.communicate(timeout=POLL_SECONDS)
        except subprocess.TimeoutExpired:
            cpu = _cpu(process.pid)
            if cpu > used + 0.1:
                used, since = cpu, time.monotonic()
            elif time.monotonic() - since > IDLE_SECONDS:
                process.kill()
                process.communicate()
                raise SandboxError(f"it used no CPU for {IDLE_SECONDS} s and was ended") from None
        except BaseException:
            process.kill()
            raise


def _cpu(pid: int) -> float:
    """Return the seconds of CPU that a process has used; 0 if it has just ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _reason(status: int, messages: str) -> str:
    if status == -signal.SIGXCPU:
        return "it used up its CPU time and was ended"
    if status < 0:
        return f"it ended its process ({signal.Signals(-status).name})"
    return f"its process ended with status {status}: {messages.strip()[-SHOWN_CHARACTERS:]}"
