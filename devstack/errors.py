"""Errors that the embedded stack reports to its user."""

from __future__ import annotations

from typing import ClassVar

from devstack.exits import Exit


class StackError(RuntimeError):
    """A condition that the user can fix; the message says what is wrong and what to do."""

    exit: ClassVar[Exit] = Exit.MACHINE


class UsageError(StackError):
    """What was asked for doesn't exist or can't be done; the message says what can."""

    exit = Exit.USAGE


class FailedError(StackError):
    """What was asked for was tried, and failed for a reason of its own: a DAG file that doesn't load."""

    exit = Exit.FAILED
