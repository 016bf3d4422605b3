"""What code leaves behind in its process: environment, working directory, signal handlers, threads, child processes."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class ProcessState:
    """The state of this process.

    Attributes:
        variables: the environment.
        directory: the working directory.
        handlers: the handler of each signal.
        threads: names of the running threads by their identifier, also of those that ``threading`` doesn't know.
        children: whether it started a process, no matter how: one that runs, or one that ended.
    """

    variables: dict[str, str]
    directory: Path
    handlers: dict[signal.Signals, Any]
    threads: dict[int, str]
    children: bool

    @classmethod
    def now(cls) -> ProcessState:
        """Return the state of the moment."""
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return cls(
            dict(os.environ),
            Path.cwd(),
            {number: signal.getsignal(number) for number in signal.valid_signals()},
            {ident: names.get(ident, "unnamed") for ident in sys._current_frames()},
            bool(psutil.Process().children() or resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt),
        )

    def changed_variables(self, before: ProcessState) -> list[str]:
        """Return the variables that were set, changed or removed since ``before``."""
        names = self.variables.keys() | before.variables
        return sorted(name for name in names if self.variables.get(name) != before.variables.get(name))

    def changed_handlers(self, before: ProcessState) -> list[signal.Signals]:
        """Return the signals whose handler was replaced since ``before``."""
        return sorted(number for number, handler in self.handlers.items() if handler != before.handlers[number])

    def new_threads(self, before: ProcessState) -> list[str]:
        """Return the names of the threads that were started since ``before`` and still run."""
        return sorted(name for ident, name in self.threads.items() if ident not in before.threads)
