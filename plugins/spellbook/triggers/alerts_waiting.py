"""A trigger that fires while alerts wait for the DAG ``alerts_drain``."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REPEAT_SECONDS = 60  # between two events about the same things: a run may be queued, running or have failed
CHECK_SECONDS = 60  # that a check may take; a stalled one isn't started again
SHOWN = 10  # things named in an event


def find_work() -> frozenset[str]:
    """Return what waits; see :func:`include.ops.alerts.waiting.find_work`."""
    from include.datasets import DATASETS  # not at every parse of the DAG file
    from include.ops.alerts.waiting import find_work

    return find_work(DATASETS)


class AlertsWaitingTrigger(BaseEventTrigger):
    """Fires when something waits that the last check didn't find, and once a minute while anything waits.

    It also fires if that can't be checked, so that the run fails and names the error. It never ends.

    Args:
        check_interval: seconds between two checks.
    """

    def __init__(self, check_interval: float = 20) -> None:
        super().__init__()
        self.check_interval = check_interval

    @override
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"check_interval": self.check_interval}

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire with the first things that wait."""
        known, fired_at, check = frozenset[str](), -float("inf"), None
        while True:
            if check is None or check.done():
                check = asyncio.ensure_future(asyncio.to_thread(find_work))
            try:
                work = await asyncio.wait_for(asyncio.shield(check), CHECK_SECONDS)
            except Exception as error:
                from include.ops.alerts.wording import error_in_a_line

                self.log.warning("can't check whether alerts wait: %s", error_in_a_line(error))
                work = frozenset({f"the check failed: {type(error).__name__}"})
            if work - known or (work and time.monotonic() - fired_at >= REPEAT_SECONDS):
                fired_at = time.monotonic()
                yield TriggerEvent({"waiting": sorted(work)[:SHOWN], "count": len(work)})
            known = work
            await asyncio.sleep(self.check_interval)
