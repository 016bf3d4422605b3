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
from typing import TYPE_CHECKING, Any

import psutil

from include.core.ml.errors import SandboxError
from include.core.ml.sandbox.content import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    with tempfile.TemporaryFile() as file:
        file.write(encode(content))
        file.seek(0)
        arguments = ["include.core.ml.sandbox", name, str(limits.memory), str(limits.cpu)]
        process = spawn(arguments, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, messages = _communicate(process)
    if process.returncode:
        text = messages.decode(errors="replace").strip()[-SHOWN_CHARACTERS:]
        raise SandboxError(f"{reason(process.returncode)}: {text}" if text else reason(process.returncode))
    received = decode(output)
    if error := received.get("error"):
        raise SandboxError(str(error))
    return received


def spawn(arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start ``python -m`` with these arguments, without the secrets of this process's environment."""
    environment = {key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ}
    environment |= dict.fromkeys(THREADS, "1") | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-m", *arguments], cwd=REPOSITORY, env=environment, **options)


class Progress:
    """The use of the CPU by a process that is waited for."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._used, self._since = process, -1.0, time.monotonic()

    def require(self) -> None:
        """End the process if it has come to a standstill; call this every :data:`POLL_SECONDS`.

        Raises:
            SandboxError: if it had.
        """
        cpu = _cpu(self._process.pid)
        if cpu > self._used + 0.1:
            self._used, self._since = cpu, time.monotonic()
        elif time.monotonic() - self._since > IDLE_SECONDS:
            self._process.kill()
            raise SandboxError(f"it used no CPU for {IDLE_SECONDS} s and was ended")


def _communicate(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    progress = Progress(process)
    while True:
        try:
            return process.communicate(timeout=POLL_SECONDS)
        except subprocess.TimeoutExpired:
            try:
                progress.require()
            except SandboxError as error:
                process.communicate()
                raise error from None
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


def reason(status: int) -> str:
    """Return why a sandboxed process ended, by its status."""
    if status == -signal.SIGXCPU:
        return "it used up its CPU time and was ended"
    if status < 0:
        return f"it ended its process ({signal.Signals(-status).name})"
    return f"its process ended with status {status}"
