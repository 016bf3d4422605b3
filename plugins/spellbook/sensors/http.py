"""An HttpSensor that keeps its pace.

While deferred, the provider's own (6.3.0) asks again at once and without end after any answer but 404, see
https://github.com/apache/airflow/issues/69903: a server that is down or refuses is flooded by its waiting DAGs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp
from airflow.providers.http.sensors.http import HttpSensor
from airflow.providers.http.triggers.http import HttpSensorTrigger
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import TriggerEvent
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class PacedHttpTrigger(HttpSensorTrigger):
    """Fires when the server answers well; waits ``poke_interval`` seconds after whatever else it says."""

    @override
    def serialize(self) -> tuple[str, dict[str, Any]]:
        _, arguments = super().serialize()
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        hook = self._get_async_hook()
        while True:
            try:
                async with aiohttp.ClientSession() as session:
                    answer = await hook.run(
                        session=session,
                        endpoint=self.endpoint,
                        data=self.data,
                        headers=self.headers,
                        extra_options=self.extra_options,
                    )
                    answer.release()
            except (AirflowException, aiohttp.ClientError, TimeoutError) as error:
                self.log.info("not yet, asking again in %g s: %s", self.poke_interval, error)
            else:
                yield TriggerEvent(True)
                return
            await asyncio.sleep(self.poke_interval)


class PacedHttpSensor(HttpSensor):
    """Waits without a worker until a server answers well; its arguments are those of ``HttpSensor``.

    The first question is asked in a worker: there, an answer but those of ``response_error_codes_allowlist`` fails the
    task. Later ones are asked every ``poke_interval`` seconds until ``timeout``.
    """

    @override
    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        super().defer(trigger=PacedHttpTrigger(**trigger.serialize()[1]), **kwargs)
