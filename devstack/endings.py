"""How a command ends if it is stopped or fails: the message, and the exit code."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from devstack.errors import StackError
from devstack.exits import Exit
from include.core.errors import PermanentError
from include.core.ml.errors import ServingError

SIGNALS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED, signal.SIGHUP: Exit.HUNG_UP}


class Stopped(BaseException):
    """A signal asks the command to end: Ctrl-C, `kill`, or a terminal that is closed."""

    def __init__(self, code: Exit) -> None:
        super().__init__("detached; the stack keeps running. `make down` stops it.")
        self.exit = code


ENDINGS = (StackError, PermanentError, ServingError, OSError, Stopped)


def ending(error: BaseException) -> tuple[str, Exit]:
    """Return the message of an error that ended a command, and the exit code; raise an unexpected error again."""
    match error:
        case StackError() | Stopped():
            return str(error), error.exit
        case PermanentError() | ServingError():
            return str(error), Exit.FAILED
        case OSError(errno=errno.ENOSPC):
            place = error.filename or "the stack"
            return f"the disk is full: {place} could not be written. Free some space.", Exit.MACHINE
        case OSError(strerror=str(reason)):
            place = f"{error.filename}: " if error.filename else ""
            return f"{place}{reason}\n`make doctor` looks for the cause.", Exit.MACHINE
    raise error


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise :class:`Stopped` in this context at the first signal; ignore later ones, so that the end is orderly.

    A closed terminal sends its signal twice, and Ctrl-C is pressed twice.
    """
    before = {signum: signal.signal(signum, _stop) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def ignore_signals() -> None:
    """Ignore the signals from now on, to finish what is being cleaned up."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def _stop(signum: int, _: FrameType | None) -> NoReturn:
    ignore_signals()
    raise Stopped(SIGNALS[signal.Signals(signum)])
