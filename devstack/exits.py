"""The exit codes of the commands; `make` turns every one but 0 into 2."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1  # the command did its work, and the result is bad: a failed run, a finding
    USAGE = 2
    MACHINE = 5  # the stack, the machine or a setting; 3 and 4 are verdicts of `preview` on a file
    HUNG_UP = 129  # 128 + SIGHUP
    INTERRUPTED = 130  # 128 + SIGINT
    TERMINATED = 143  # 128 + SIGTERM
